// Explanations: who gives them, and how they are shown.

import { plain, style, table } from './output.js';

/** Where a gate is, if nobody says: only its scheme counts. */
export const HERE = 'https://gate.invalid';

/** The URL of a path at the gate of this policy. */
export const urlAt = (policy, path) => `${typeof policy.origin === 'string' ? policy.origin : HERE}${path}`;

/** An explanation of the package, as the endpoint of a gate writes it. */
export const asAnswered = ({ route = null, steps, outcome: { status, code = null, reason = null } }) => ({
  route,
  steps: steps.map(({ policyPath, ...step }) => ({ ...step, ...(policyPath !== undefined && { policy_path: policyPath }) })),
  outcome: { status, code, reason },
});

const MARKS = { passed: ['green', '✓'], refused: ['red', '✗'], skipped: ['dim', '–'], would_be_asked: ['yellow', '?'], not_reached: ['dim', '·'] };
const SAID = { skipped: 'not asked for', would_be_asked: 'would be asked', not_reached: 'not reached' };

/** `would be asked: per-caller`. */
const said = ({ verdict, detail }) => [SAID[verdict], detail].filter(Boolean).join(': ');

/** What the caller would get, in a line. */
export const outcomeLine = ({ status, code, reason }) => (code ? `${status} ${code} (${reason})` : status === 200 ? 'admitted' : `answered by the gate: ${status}`);

export function shown({ steps, outcome }) {
  const rows = steps.map((step) => [MARKS[step.verdict]?.[1] ?? '?', step.step, said(step), step.policy_path]);
  return `${table(['', 'STEP', 'WHY', 'POLICY'], rows)}\n\n${plain(outcomeLine(outcome))}`;
}

/** The word of a verdict with the colour that it has. */
export const marked = (verdict, text) => style(MARKS[verdict]?.[0] ?? 'dim', text, process.stdout);
