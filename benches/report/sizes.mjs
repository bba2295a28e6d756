// The bytes of what is shipped, in a terminal.

import { thousands } from './results.mjs';

/** Of the crates and functions of a module, the largest. */
const SHOWN = 20;

const line = (name, { raw, gzip, brotli }) => [name.padEnd(50), ...[raw, gzip, brotli].map((bytes) => thousands(bytes).padStart(10))].join(' ');

function target({ gzip, target_gzip: wanted }) {
  return wanted === undefined ? '' : `, target ${thousands(wanted)}: ${gzip <= wanted ? 'met' : 'not met'}`;
}

export const sizeTable = (artefacts) => [
  ['', 'raw', 'gzip', 'brotli'].map((name, column) => (column === 0 ? name.padEnd(50) : name.padStart(10))).join(' '),
  ...artefacts.flatMap((artefact) => [
    ...artefact.parts.map((part) => line(`  ${part.name}`, part)),
    `${line(artefact.name, artefact)}  budget ${thousands(artefact.budget_gzip)}${target(artefact)}`,
  ]),
].join('\n');

/** What the code of the Worker's module is for, as rows of Markdown. */
export const sectionTable = (sections) => [
  '| section | functions | bytes | by itself with gzip |',
  '|---|---|---|---|',
  ...sections.map(({ name, functions, raw, gzip }) => `| ${[name, ...[functions, raw, gzip].map(thousands)].join(' | ')} |`),
  '',
].join('\n');

/** One sentence for each artefact that is over its budget. */
export const overBudget = (artefacts) => artefacts
  .filter(({ gzip, budget_gzip: budget }) => gzip > budget)
  .map(({ name, gzip, budget_gzip: budget }) => `${name}: ${thousands(gzip)} bytes, expected at most ${thousands(budget)}`);

/** The crates of a module and its largest functions. */
export const composition = (module) => [
  `${module.name}, as compiled: code ${thousands(module.code)}, data ${thousands(module.data)}`,
  ...['custom', 'crates', 'functions'].flatMap((what) => [
    `  ${what}`,
    ...module[what].slice(0, SHOWN).map(({ bytes, name }) => `  ${thousands(bytes).padStart(10)}  ${name}`),
  ]),
  '',
].join('\n');
