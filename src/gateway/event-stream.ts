/** Server-sent events, as far as our own stream uses them: `event:` and one `data:` line. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** Feed it chunks; it calls back once for each complete event. */
export function createEventParser(onEvent: (event: StreamEvent) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let event = 'message';
      let data = '';
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) event = line.slice(7);
        else if (line.startsWith('data: ')) data += line.slice(6);
      }
      if (data !== '') onEvent({ event, data });
    }
  };
}
