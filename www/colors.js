// Colours for tokens and JSON. They are an ornament: the text says everything.

import { date } from './checks.js';
import { element } from './elements.js';

const PARTS = ['header', 'claims', 'signature'];

/** The parts of a token, each in its colour; the line break at the end keeps the box as tall as the text. */
export function inkToken(text) {
  const [, lead, token] = /^(\s*(?:Bearer\s+)?)([^]*)$/i.exec(text);
  const pieces = token.split('.').flatMap((part, index) => {
    const inked = element('span', part, `part ${PARTS[index] ?? 'more'}`);
    return index === 0 ? [inked] : ['.', inked];
  });
  return [lead, ...pieces, '\n'];
}

const PIECES = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function inkLine(line) {
  const made = [];
  let end = 0;
  for (const found of line.matchAll(PIECES)) {
    const [all, text, colon] = found;
    made.push(line.slice(end, found.index));
    if (text === undefined) made.push(element('span', all, 'number'));
    else made.push(element('span', text, colon === undefined ? 'string' : 'name'), colon ?? '');
    end = found.index + all.length;
  }
  return [...made, line.slice(end)].filter((piece) => piece !== '');
}

const TIME = /^ {2}"(?:exp|nbf|iat|auth_time)": (\d{1,12}),?$/;

/** JSON in lines. Times of claims are there in words too, beside their numbers. */
export function inkJson(value, { times = false } = {}) {
  if (value === undefined) return [];
  const lines = JSON.stringify(value, null, 2).split('\n');
  return lines.flatMap((line, index) => {
    const end = index === lines.length - 1 ? '' : '\n';
    const secs = times ? TIME.exec(line)?.[1] : undefined;
    // The line break is part of a note: on a phone the note is a line of its own.
    return [...inkLine(line), secs === undefined ? end : element('span', `   // ${date(Number(secs))}${end}`, 'note')];
  });
}
