// Asks all that was asked for, and puts it together.

import { LINES, STATES, skip, unknown } from './checklist.js';
import { withAttested } from './attested.js';
import { liveChecks } from './live.js';
import { probe } from './probe.js';
import { healthChecks, reportChecks } from './report.js';
import { ONLINE, finding, isTaken, staticFindings, unasked } from './static.js';

/** The form of what `--json` prints. A change that is not only an addition has another number. */
const VERSION = 1;

/**
 * @param given `{facts?, gate?, attested, now, isProbe, …}`: what is known of the files, and of the running gate
 *   (`{url, origin, administration?, version, receiver?, receiverSecret?, wait}`)
 */
export async function diagnose({ facts, gate, attested, now, isProbe }) {
  const findings = facts === undefined ? [] : staticFindings(facts);
  // A policy that is refused says nothing of the gate that runs: it is another one there.
  const policy = facts !== undefined && isTaken(facts) ? facts.policy : undefined;
  if (gate === undefined) findings.push(...unasked());
  else findings.push(...await online({ ...gate, policy, isProbe }));
  const known = new Set(findings.map(({ id }) => id));
  findings.push(...LINES.filter(({ id }) => !known.has(id)).flatMap(({ id }) => finding(id, skip('the policy is not here', { fix: 'say --policy FILE' }))));
  return reported(withAttested(findings, attested, now), { facts, gate, now });
}

async function online({ url, administration, isProbe, ...rest }) {
  const at = { url, origin: new URL(url).origin, ...rest };
  const findings = [...await performed('report', healthChecks(at))];
  if (findings.some(({ id, state }) => id === 'policy' && state === 'FAIL')) {
    return [...findings, ...unasked(ONLINE.filter((id) => id !== 'version'), 'the gate is not well', 'npx wrangler tail says why')];
  }
  findings.push(...await performed('report', reportChecks(administration, at.policy, at.origin.startsWith('http:'))), ...await performed('live', liveChecks(at)));
  if (isProbe) findings.push(...await probe({ ...at, gate: administration }));
  return findings;
}

/** One after the other: requests that come all at once would be counted by limits. */
async function performed(kind, checks) {
  const findings = [];
  for (const [id, check] of Object.entries(checks)) {
    let verdicts;
    try {
      verdicts = await check();
    } catch (error) {
      verdicts = unknown(error.message);
    }
    findings.push(...finding(id, verdicts, kind));
  }
  return findings;
}

function reported(findings, { facts, gate, now }) {
  const full = findings.map(({ id, kind, state, ...more }) => {
    const { section, line } = LINES.find((one) => one.id === id);
    return { id, section, line, state, kind, ...more };
  });
  const lines = LINES.map(({ id, section, line, isOfGuide }) => ({ id, section, line, guide: isOfGuide, state: worst(full.filter((one) => one.id === id)) }));
  const summary = Object.fromEntries(STATES.map((state) => [state, lines.filter((one) => one.state === state).length]));
  return { version: VERSION, at: new Date(now).toISOString(), ...(facts && { policy: facts.file }), ...(gate && { gate: gate.url }), summary, lines, findings: full };
}

const worst = (findings) => STATES.find((state) => findings.some((one) => one.state === state));

