// Makes `docs/differences.md` from the classes and the counts of a run.

import { PEERS, VERSIONS } from './verifiers.mjs';

const GROUPS = [
  ['refuses', 'What others accept and edgegate refuses', 'accepts'],
  ['accepts', 'What edgegate accepts and others refuse', 'refuses'],
  ['reads', 'What is read differently', 'reads differently'],
];

/** @param counts by `class peer` */
export function document(classes, counts, { tokens, accepted, disagreed }) {
  const cell = (one, peer) => (one.others.includes(peer) ? String(counts.get(`${one.class} ${peer}`) ?? 0) : '–');
  const tables = GROUPS.map(([direction, title, verb]) => {
    const rows = classes.filter(({ edgegate }) => edgegate === direction).map((one) =>
      `| ${one.what} | ${PEERS.map((peer) => cell(one, peer)).join(' | ')} | ${one.why}${one.rfc ? ` ${one.rfc}.` : ''} |`);
    return [
      `## ${title}`, '', `A number is how many of the tokens the library ${verb}; – is for where it agrees with edgegate.`, '',
      `| the token | ${PEERS.join(' | ')} | why |`, `|---|${PEERS.map(() => '--:|').join('')}---|`, ...rows,
    ].join('\n');
  });
  return `# Where verifiers differ

edgegate and three other libraries were given the same ${tokens} generated tokens, honest and changed in one or two ways, with
options that say the same as far as each can be told: issuer, audience, algorithm, time, that \`exp\` has to be there, and for some a
\`typ\`, a greatest age or a tolerance. edgegate accepts ${accepted} of them; on ${disagreed} at least one library says otherwise. Each such
case belongs to a class below: the test (\`tests/differential/\`) fails on one without an explanation, and on an explanation
without a case. This file is written by it.

Compared: ${PEERS.map((peer) => `${peer} ${VERSIONS[peer]}`).join(', ')}.

${tables.join('\n\n')}
`;
}
