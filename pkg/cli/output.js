// What the commands print. Results go to standard output; what is said about them goes to standard error, so that a result can be
// piped. With `--json` a result is one JSON value.

import { inspect, stripVTControlCharacters, styleText } from 'node:util';

const { stdout, stderr } = process;

/** Colours, where they are seen and wanted (https://no-color.org). */
export function style(format, text, stream = stderr) {
  const wanted = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? styleText(format, text, { validateStream: false }) : text;
}

export const say = (text) => stderr.write(`${text}\n`);
export const step = (text) => say(`${style('cyan', '>')} ${text}`);
export const done = (text) => say(`${style('green', '✓')} ${text}`);
export const warn = (text) => say(`${style('yellow', 'warning:')} ${text}`);

/** A result: the value as JSON with `--json`, else the text that `shown` makes of it. */
export function result({ json }, value, shown) {
  const text = json ? JSON.stringify(value, null, 2) : shown(value);
  if (text !== '') stdout.write(`${text}\n`);
}

/** What others have written cannot steer the terminal. */
export const plain = (value) => stripVTControlCharacters(String(value)).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');

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
  if (json) say(JSON.stringify({ error: { message, hint, ...facts } }));
  else {
    say(`${style('red', 'error:')} ${plainLines(message)}`);
    if (hint) say(`${style('dim', 'hint:')} ${plainLines(hint)}`);
    if (error.name !== 'Failure' && process.env.EDGEGATE_DEBUG) say(inspect(error));
  }
  return exitCode;
}

const plainLines = (text) => String(text).split('\n').map(plain).join('\n');
