// The names that the package's entries export.
//
// In JavaScript each entry has to name its exports. The list is copied from one place, the object that `bind` of `pkg/lib/index.js`
// returns.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LIST = 'pkg/lib/index.js';

/** Each entry has the names between these two. */
const ENTRIES = [
  'pkg/browser.js', 'pkg/slim.js', 'pkg/workerd.js', 'pkg/gate/workerd.js', 'pkg/pure/browser.js', 'pkg/pure/workerd.js',
  'pkg/inline.js', 'pkg/gate/inline.js', 'pkg/pure/inline.js', 'pkg/gate/slim.js',
  'pkg/edge-light.js', 'pkg/gate/edge-light.js', 'pkg/pure/edge-light.js', 'pkg/slim-edge-light.js', 'pkg/gate/slim-edge-light.js',
  'pkg/lib/node.js', 'pkg/lib/node-pure.js', 'pkg/lib/node-inline.js', 'pkg/lib/node-pure-inline.js',
];
const IN_ENTRY = ['export const {\n', '} = '];

/** The same for the declarations of entries without the guard. */
const DECLARATIONS = ['pkg/pure.d.ts', 'pkg/slim.d.ts'];
const IN_DECLARATION = ['export {\n', "} from './index.js';"];

const WIDTH = 140;

const absolute = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const read = (file) => readFileSync(absolute(file), 'utf8');

/** Returns the members of the object that `bind` returns, without the engine. */
export function names(list) {
  const [, members] = /\n {2}return \{\n(.*?)\n {2}\};\n/s.exec(list) ?? [];
  if (members === undefined) throw new Error(`${LIST}: no object is returned`);
  return [...members.matchAll(/^ *(\w+): /gm)].map(([, name]) => name);
}

/** Lines of names, each with a comma. */
function wrapped(words) {
  const lines = [' '];
  for (const word of words) {
    if (lines.at(-1).length + word.length + 2 > WIDTH) lines.push(' ');
    lines.push(`${lines.pop()} ${word},`);
  }
  return `${lines.join('\n')}\n`;
}

function replaced(file, text, [start, end], words) {
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf(end, from);
  if (from < start.length || to < 0) throw new Error(`${file}: no names between ${JSON.stringify(start)} and ${JSON.stringify(end)}`);
  return text.slice(0, from) + wrapped(words) + text.slice(to);
}

/** Returns each file as it is, and as it has to be. */
export function entries() {
  const exported = names(read(LIST));
  const declared = [...exported, 'EdgegateError'].sort();
  const entry = (between, words) => (file) => {
    const text = read(file);
    return { file, text, fresh: replaced(file, text, between, words) };
  };
  return [...ENTRIES.map(entry(IN_ENTRY, exported)), ...DECLARATIONS.map(entry(IN_DECLARATION, declared))];
}

/** Writes the names into all of them. */
export function write() {
  for (const { file, text, fresh } of entries()) {
    if (fresh !== text) writeFileSync(absolute(file), fresh);
  }
}
