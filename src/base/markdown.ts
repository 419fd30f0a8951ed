/** Text of others in Markdown of ours. */

/** Text of others inside a line: no Markdown, no HTML, no mention of anybody. */
export function cell(text: string): string {
  return withoutControls(text)
    .replace(/[\\`*_{}[\]()#+!|<>&~]/g, '\\$&')
    .replace(/@|:\/\/|www\./g, '$&\u200b');
}

/** In a code span, where nothing is escaped. */
export function code(text: string): string {
  return `\`${withoutControls(text).replaceAll('`', "'")}\``;
}

/** One line, and no character that makes it read otherwise than it is. */
function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
}
