// The results in a terminal.

import { isMet, ratioText, targetText, valuesText, verdict } from './results.mjs';

/** Each row with its lines, and how many targets are met. */
export function table({ rows }) {
  const comparisons = rows.flatMap((row) => row.comparisons);
  const cells = (one) => [one.subject, one.peer, ratioText(one), valuesText(one)];
  const widths = cells({ ratio: 0, subject: '', peer: '', subject_value: 0, peer_value: 0, unit: '' })
    .map((_, column) => Math.max(0, ...comparisons.map((one) => cells(one)[column].length)));
  const line = (one) => {
    const padded = cells(one).map((cell, column) => cell.padEnd(widths[column]));
    return `  ${padded.join('  ')}  ${targetText(one).padEnd(8)} ${verdict(one)}`.trimEnd();
  };
  const lines = rows.flatMap((row) => [`${row.about} [${row.id}]`, ...row.comparisons.map(line)]);
  const wanted = comparisons.filter((one) => isMet(one) !== undefined);
  return [...lines, `${wanted.filter(isMet).length} of ${wanted.length} targets met`].join('\n');
}
