// The part of `docs/benchmarks.md` that is made of the results. All else in it is written by hand.

import { isMissed, loadOfOthers, ratioText, targetText, valuesText, verdict } from './results.mjs';

const BEGIN = '<!-- results: written by `cargo xtask bench` -->\n';
const END = '<!-- end of results -->\n';
/** Below it, each row that misses a target has a paragraph that begins with its id, bold and as code. */
const REASONS = '\n## Not met, and why\n';

/** The document with these results in place of the former ones. */
export function update(document, results) {
  const [before, rest] = split(document, BEGIN);
  const [, after] = split(rest, END);
  return `${before}${BEGIN}\n${generated(results)}\n${END}${after}`;
}

function split(text, line) {
  const at = text.indexOf(line);
  if (at < 0) throw new Error(`no line ${line.trimEnd()}`);
  return [text.slice(0, at), text.slice(at + line.length)];
}

/** Rows that miss a target without a reason being given. */
export const unexplained = (document, { rows }) => rows.filter((row) => isMissed(row) && !hasReason(document, row)).map(({ id }) => id);

/** Rows that meet their targets, though a reason why not is still there. */
export const outdated = (document, { rows }) => rows.filter((row) => !isMissed(row) && hasReason(document, row)).map(({ id }) => id);

function hasReason(document, { id }) {
  const at = document.indexOf(REASONS);
  return at >= 0 && document.includes(`**\`${id}\`**`, at);
}

function generated(results) {
  const { machine = {}, rows } = results;
  const fact = (name) => machine[name] ?? 'unknown';
  const versions = Object.entries(machine.versions ?? {}).sort().map(([name, version]) => `${name} ${version}`).join(', ');
  const load = loadOfOthers(results);
  return [
    `Measured on ${fact('date')}: ${fact('cpu')}, ${fact('cores')} cores, ${fact('memory_gb')} GB, ${fact('system')}; Node ${fact('node')}, ${versions}.\n`,
    ...(load === undefined ? [] : [`The machine had other work, a load average of ${load}: only lines by the processor's time say much.\n`]),
    '![The ratios of the table as bars, with their targets](bench/ratios.svg)\n',
    '| | beside | ratio (quartiles) | edgegate : peer | target | |\n|---|---|---|---|---|---|',
    ...rows.flatMap((row) => [
      `| **${row.about}** \`${row.id}\` | | | | | |`,
      ...row.comparisons.map((one) => `| ${one.subject} | ${one.peer} | ${ratioText(one)} | ${valuesText(one)} | ${targetText(one)} | ${verdict(one)} |`),
    ]),
    '',
  ].join('\n');
}
