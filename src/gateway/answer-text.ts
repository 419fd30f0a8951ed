/** What a model said, out of the bytes of its answer: for the judge model. */
import { isObject } from '../base/json.ts';

/** Empty when there is no text, as in an answer that only calls tools. */
export function answerText(raw: string, isStream: boolean): string {
  if (!isStream) return textOfAnswer(parse(raw));
  const parts: string[] = [];
  for (const line of raw.split('\n')) if (line.startsWith('data:')) parts.push(textOfEvent(parse(line.slice(5))));
  return parts.join('');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textOfAnswer(answer: unknown): string {
  if (!isObject(answer)) return '';
  const output = listOf(answer['output']).flatMap((item) => (isObject(item) ? listOf(item['content']) : []));
  return [...listOf(answer['choices']).map(textOfChoice), ...output.map((part) => textIn(part, 'text'))].join('');
}

function textOfEvent(event: unknown): string {
  if (!isObject(event)) return '';
  if (event['type'] === 'response.output_text.delta') return textIn(event, 'delta');
  return listOf(event['choices']).map(textOfChoice).join('');
}

function textOfChoice(choice: unknown): string {
  if (!isObject(choice)) return '';
  return textIn(choice['message'], 'content') + textIn(choice['delta'], 'content') + textIn(choice, 'text');
}

function textIn(value: unknown, field: string): string {
  const text = isObject(value) ? value[field] : undefined;
  return typeof text === 'string' ? text : '';
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
