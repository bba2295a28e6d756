// What the commands print. Results go to standard output; what is said about them goes to standard error, so that a result can be
// piped. With `--json` a result is one JSON value.

import { inspect, stripVTControlCharacters, styleText } from 'node:util';

const { stdout, stderr } = process;

/** Colours, where they are seen and wanted (https://no-color.org). */
export function style(format, text, stream = stderr) {
  const wanted = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? styleText(format, text, { validateStream: false }) : text;
}

/**
 * What a terminal obeys or does not show: C0, C1, marks that turn the direction of text around or break lines (UTR 36 §2.5, TR9 §2).
 * `##[word]` and `##vso[word]` are orders to the logs of GitHub and Azure, wherever they stand in a line; so is `::` at its begin.
 */
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const ORDER = /##(?=\w*\[)/g;

/** What others have written cannot steer the terminal, nor the log of a build. */
export const plain = (value) => stripVTControlCharacters(String(value)).replace(OBEYED, '?').replace(ORDER, '#?');

/** The same for text of several lines. */
const plainLines = (text) => String(text).split(/\r?\n/).map((line) => plain(line).replace(/^(\s*)::/, '$1?:')).join('\n');

/** JSON that is the same value, and shows what a terminal would obey. */
export const jsonText = (value, space) => JSON.stringify(value, null, space)
  .replace(OBEYED, (letter) => (letter === '\n' ? letter : `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`))
  .replace(ORDER, '#\\u0023');

/** `word` is of this program, and may have colours. */
export const say = (text, word) => stderr.write(`${word === undefined ? '' : `${word} `}${plainLines(text)}\n`);
export const step = (text) => say(text, style('cyan', '>'));
export const done = (text) => say(text, style('green', '✓'));
export const warn = (text) => say(text, style('yellow', 'warning:'));

/** A result: the value as JSON with `--json`, else the text that `shown` makes of it. */
export function result({ json }, value, shown) {
  const text = json ? jsonText(value, 2) : plainLines(shown(value));
  if (text !== '') stdout.write(`${text}\n`);
}

/** Results that are a line of JSON each. */
export const lines = (values) => stdout.write(values.map((value) => `${jsonText(value)}\n`).join(''));

/** Lines `name  value` with the values below each other; those without a value are left out. */
export function fields(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}`).join('\n');
}

/** Rows with columns below each other. */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map((cell) => plain(cell ?? '')));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n');
}

/** A time in seconds as people read it. */
export const time = (secs) => (Number.isFinite(secs) ? new Date(secs * 1000).toISOString().replace('.000Z', 'Z') : undefined);

/** Tells why a command has ended, and gives its exit code. */
export function tell(error, { json } = {}) {
  const { message, hint, exitCode = 1, facts = {} } = error;
  if (json) stderr.write(`${jsonText({ error: { message, hint, ...facts } })}\n`);
  else {
    say(message, style('red', 'error:'));
    if (hint) say(hint, style('dim', 'hint:'));
    if (error.name !== 'Failure' && process.env.EDGEGATE_DEBUG) say(inspect(error));
  }
  return exitCode;
}
