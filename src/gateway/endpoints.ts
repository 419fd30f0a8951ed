/** The model APIs that a gateway offers, and where each keeps what we set or read. */
import { isObject } from '../base/json.ts';

/** A request body on its way; what we do not know in it stays as it came. */
export type Body = Record<string, unknown>;

export interface Endpoint {
  /** Below the provider's base URL, and below `/v1` here. */
  readonly path: string;
  /** Field of this API for each parameter of a configuration that it knows. */
  readonly fields: Readonly<Record<string, string>>;
  /** Every field by which a client may limit the tokens of the answer. */
  readonly tokenLimits: readonly string[];
  /** A stream tells its usage only when asked to, by `stream_options`. */
  readonly asksForUsage: boolean;
  /** What people wrote, for conditions and cost estimates. */
  readonly texts: (body: Body) => readonly string[];
  /** Text of the last thing the user said. */
  readonly question: (body: Body) => string;
  /** Puts `text` where the question stood. */
  readonly replaceQuestion: (body: Body, text: string) => void;
  /** Puts `text` before everything else. */
  readonly instruct: (body: Body, text: string) => void;
}

const sampling = { temperature: 'temperature', top_p: 'top_p' };

const chat: Endpoint = {
  path: '/chat/completions',
  fields: {
    ...sampling,
    max_tokens: 'max_tokens',
    frequency_penalty: 'frequency_penalty',
    presence_penalty: 'presence_penalty',
    seed: 'seed',
    stop: 'stop',
  },
  tokenLimits: ['max_tokens', 'max_completion_tokens'],
  asksForUsage: true,
  texts: (body) => listOf(body['messages']).map(textOf),
  question: (body) => textOf(lastOfUser(listOf(body['messages']))),
  replaceQuestion(body, text) {
    body['messages'] = withQuestion(listOf(body['messages']), text, 'text');
  },
  instruct(body, text) {
    body['messages'] = [{ role: 'system', content: text }, ...listOf(body['messages'])];
  },
};

const responses: Endpoint = {
  path: '/responses',
  fields: { ...sampling, max_tokens: 'max_output_tokens' },
  tokenLimits: ['max_output_tokens'],
  asksForUsage: false,
  texts: (body) => [
    ...(typeof body['instructions'] === 'string' ? [body['instructions']] : []),
    ...(typeof body['input'] === 'string' ? [body['input']] : listOf(body['input']).map(textOf)),
  ],
  question: (body) => (typeof body['input'] === 'string' ? body['input'] : textOf(lastOfUser(listOf(body['input'])))),
  replaceQuestion(body, text) {
    body['input'] = Array.isArray(body['input']) ? withQuestion(listOf(body['input']), text, 'input_text') : text;
  },
  instruct(body, text) {
    body['instructions'] = typeof body['instructions'] === 'string' ? `${text}\n\n${body['instructions']}` : text;
  },
};

const completions: Endpoint = {
  path: '/completions',
  fields: chat.fields,
  tokenLimits: ['max_tokens'],
  asksForUsage: true,
  texts: (body) => textsOf(body['prompt']),
  question: (body) => textsOf(body['prompt']).join('\n'),
  // A prompt of token numbers is no text, and stays as it is.
  replaceQuestion(body, text) {
    if (textsOf(body['prompt']).length > 0) body['prompt'] = text;
  },
  instruct(body, text) {
    const prompt = body['prompt'];
    if (typeof prompt === 'string') body['prompt'] = `${text}\n\n${prompt}`;
    else if (textsOf(prompt).length > 0) body['prompt'] = textsOf(prompt).map((one) => `${text}\n\n${one}`);
  },
};

/** No template and no parameters: what is embedded must be what the application sent. */
const embeddings: Endpoint = {
  path: '/embeddings',
  fields: {},
  tokenLimits: [],
  asksForUsage: false,
  texts: (body) => textsOf(body['input']),
  question: () => '',
  replaceQuestion: () => undefined,
  instruct: () => undefined,
};

export const endpoints: ReadonlyMap<string, Endpoint> = new Map(
  [chat, completions, embeddings, responses].map((endpoint) => [`/v1${endpoint.path}`, endpoint]),
);

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return listOf(value).filter((one) => typeof one === 'string');
}

/** Text of a message, whether it is written as a string or in parts. */
function textOf(message: unknown): string {
  if (!isObject(message)) return '';
  const { content } = message;
  if (typeof content === 'string') return content;
  return listOf(content)
    .map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
    .join('');
}

function isOfUser(message: unknown): boolean {
  return isObject(message) && message['role'] === 'user';
}

function lastOfUser(messages: readonly unknown[]): unknown {
  return messages.findLast(isOfUser);
}

/** Only the text is replaced: images and audio beside it are part of the question. */
function withQuestion(messages: readonly unknown[], text: string, type: string): readonly unknown[] {
  const last = messages.findLastIndex(isOfUser);
  const message = messages[last];
  if (!isObject(message)) return [...messages, { role: 'user', content: text }];
  const rest = listOf(message['content']).filter((part) => !(isObject(part) && typeof part['text'] === 'string'));
  const content = Array.isArray(message['content']) ? [{ type, text }, ...rest] : text;
  return messages.with(last, { ...message, content });
}
