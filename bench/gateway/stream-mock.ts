/** A provider of streams for the benchmark: 50 events of about 240 bytes, 4 ms apart. */
import { createServer } from 'node:http';

const events = 50;
const everyMs = 4;
const chunk = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 0, model: 'gpt-4' };
const text =
  'data: ' + JSON.stringify({ ...chunk, choices: [{ index: 0, delta: { content: 'word '.repeat(18) }, finish_reason: null }] }) + '\n\n';
const usage = { prompt_tokens: 200, completion_tokens: 160, total_tokens: 360 };
const last =
  'data: ' +
  JSON.stringify({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) +
  '\n\n' +
  'data: ' +
  JSON.stringify({ ...chunk, choices: [], usage }) +
  '\n\ndata: [DONE]\n\n';

createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const timer = setInterval(() => {
      if (response.destroyed) clearInterval(timer);
      else if (++sent < events) response.write(text);
      else {
        clearInterval(timer);
        response.end(last);
      }
    }, everyMs);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
