// Writes into docs/bundlers.md what is made from the matrix: the table of its cells, and the snippets, which are files of its templates.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { CELLS, RUNTIMES } from './cells.mjs';

const ROOT = new URL('../../../', import.meta.url);
const PAGE = new URL('docs/bundlers.md', ROOT);

const RUNTIME_OF_CELL = [[/\bbun\b/i, 'bun'], [/\bdeno\b/i, 'deno']];

function versionsOf({ name, packages }) {
  const [, runtime] = RUNTIME_OF_CELL.find(([form]) => form.test(name)) ?? [];
  const [first] = Object.entries(packages);
  return runtime === undefined ? first[1] : RUNTIMES[runtime];
}

const how = ({ page, asks }) => (page === undefined ? `a server: ${asks.map((path) => `\`${path}\``).join(', ')}` : 'a page');

function table() {
  const rows = CELLS.map((cell) => `| ${cell.name} | ${versionsOf(cell)} | ${how(cell)} |`);
  return ['| what | version | as |', '|---|---|---|', ...rows].join('\n');
}

/** The page as it is, and as it has to be. */
export function page() {
  const text = readFileSync(PAGE, 'utf8');
  const fresh = text
    .replace(/(<!-- matrix: .*? -->\n).*?(<!-- end of matrix -->)/s, (_, start, end) => `${start}\n${table()}\n\nNode is ${RUNTIMES.node}.\n\n${end}`)
    .replace(/(<!-- (tests\/packaging\/matrix\/templates\/\S+) -->\n```\w+\n).*?(```\n)/gs, (_, start, file, end) => (
      `${start}${readFileSync(new URL(file, ROOT), 'utf8')}${end}`));
  return { text, fresh };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, page().fresh);
