// Makes table, chart and document of what was measured: `node benches/report.mjs RESULTS [--json FILE|-]`.
//
// The documents are written after a whole run only. `--json` also copies the results to FILE; to stdout with `-`, in place of
// the table. That a target is not met is no failure: the table says so.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { chart } from './report/chart.mjs';
import { outdated, unexplained, update } from './report/document.mjs';
import { loadOfOthers, read } from './report/results.mjs';
import { table } from './report/table.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const RESULTS = 'docs/bench/results.json';
const CHART = 'docs/bench/ratios.svg';
const DOCUMENT = 'docs/benchmarks.md';

const warn = (text) => console.error(`warning: ${text}`);

function writeDocuments(text, results) {
  const document = update(readFileSync(`${ROOT}${DOCUMENT}`, 'utf8'), results);
  mkdirSync(`${ROOT}docs/bench`, { recursive: true });
  for (const [path, content] of [[RESULTS, text], [CHART, chart(results)], [DOCUMENT, document]]) writeFileSync(`${ROOT}${path}`, content);
  console.error(`${RESULTS}, ${CHART} and ${DOCUMENT} are written`);
  for (const id of unexplained(document, results)) warn(`${DOCUMENT}: why \`${id}\` is not met is not said`);
  for (const id of outdated(document, results)) warn(`${DOCUMENT}: \`${id}\` is met, but it is said why not`);
}

try {
  const { values: { json }, positionals: [path] } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
  const text = readFileSync(path, 'utf8');
  const results = read(text);
  if (json !== undefined && json !== '-') writeFileSync(json, text);
  console.log(json === '-' ? text.trimEnd() : table(results));
  const load = loadOfOthers(results);
  if (load !== undefined) warn(`the machine had other work (load average ${load})`);
  if (results.whole) writeDocuments(text, results);
  else console.error('not a whole run: the documents stay as they are');
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
