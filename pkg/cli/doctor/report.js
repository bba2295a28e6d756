// What the running gate says of itself: its health to all, the rest to its administrator.

import { createRehearsal } from 'edgegate/testing';

import { urlAt } from '../explained.js';
import { fail, pass, skip, unknown, warn } from './checklist.js';
import { ask, json } from './http-request.js';
import { pathOf } from './policy-facts.js';
import { secretsIn } from './secret-shapes.js';

/** A page of the listing is enough: all records are written by one piece of code. */
const SAMPLE = 100;
/** Each is a request to the gate. */
const MAX_ROUTES = 20;

/** What everybody may ask. A secret or a binding that the policy names and the gate lacks makes it `misconfigured`. */
export function healthChecks({ url, version }) {
  let asked;
  const health = async () => {
    const answer = await (asked ??= ask(`${url}/health`));
    return answer.failed ? { failed: answer.failed } : json(answer) ?? { failed: `it answers ${answer.status}, and not as a gate does` };
  };
  return {
    policy: async () => {
      const { failed, status, bindings } = await health();
      if (failed) return fail(`/auth/health: ${failed}`, { fix: 'is this the URL of the gate, and is it running?' });
      const faults = Object.entries(bindings ?? {}).filter(([, state]) => ['failing', 'missing'].includes(state)).map(([name, state]) => `${name} is ${state}`);
      if (status === 'ok') return pass('/auth/health: ok. Every secret and binding that its policy names is there');
      return (status === 'degraded' ? warn : fail)([`/auth/health: ${status}`, ...faults].join(', '), { fix: 'npx wrangler tail says why' });
    },
    version: async () => {
      const { failed, version: found } = await health();
      if (failed) return unknown(`/auth/health: ${failed}`);
      return found === version ? pass(found) : warn(`it has ${found}, and this command ${version}`, { fix: 'npm install edgegate@latest, and deploy' });
    },
  };
}

/**
 * @param gate the administration of the gate; nothing if the secret is not known
 * @param policy what is known of the policy here, if it is
 */
export function reportChecks(gate, policy, isLocal) {
  const watch = async () => gate.call('watch', { window: '24h' });
  const told = (check) => async () => {
    if (gate === undefined) return skip('the administrator\'s secret is not known', { fix: 'say --token-file FILE' });
    try {
      return await check();
    } catch (error) {
      const { code } = error.facts ?? {};
      return code === 'NOT_FOUND' ? skip('the running policy has no section for it') : unknown(error.message, { fix: error.hint });
    }
  };
  return {
    'same-policy': told(async () => {
      if (policy === undefined) return skip('the policy is not here', { fix: 'say --policy FILE' });
      // There it would say of each request that it came over plain http.
      if (isLocal && policy.https) return skip('the gate is on this machine, over plain http');
      const asked = policy.routes.slice(0, MAX_ROUTES).map(({ path, methods }) => ({ method: methods?.[0] ?? 'GET', path: pathOf(path) }));
      asked.push({ method: 'GET', path: '/edgegate-doctor/nowhere' });
      const others = await differences(gate, policy, asked);
      return others.length === 0 ? pass(`${asked.length} requests without a credential: the same route and outcome`) : fail(`another policy is in force, or another version: ${others.join('; ')}`, { fix: 'deploy this one, or say --policy with the one that runs' });
    }),
    'api-keys': told(async () => {
      const { keys } = await gate.call('listKeys', { limit: SAMPLE });
      const kinds = secretsIn(JSON.stringify(keys));
      return kinds.length === 0 ? pass(`${keys.length} records: none holds a key`) : fail(`records hold ${kinds.join(', ')}`, { fix: 'tell those who make edgegate: SECURITY.md' });
    }),
    expiry: told(async () => {
      const { alerts, codes } = await watch();
      return alerts.some(({ rule }) => rule === 'expiry-ratio') ? pass(`the rule expiry-ratio is in force; ${codes.TOKEN_EXPIRED ?? 0} in the last day`) : fail('no rule expiry-ratio is in force', { path: 'watch.rules' });
    }),
    alerts: told(async () => {
      const { alerts } = await watch();
      const firing = alerts.filter(({ state }) => state === 'firing').map(({ rule }) => rule);
      return firing.length === 0 ? pass(`${alerts.length} rules look, and none fires`) : warn(`firing: ${[...new Set(firing)].join(', ')}`, { fix: 'npx edgegate watch' });
    }),
    dashboard: told(async () => {
      const { decisions: { admitted, refused } } = await watch();
      return pass(`in the last day ${admitted} admitted, ${refused} refused`);
    }),
    losses: told(async () => {
      const { dropped, lost } = await watch();
      return dropped + lost === 0 ? pass('nothing dropped, nothing lost') : warn(`${dropped} samples or alerts dropped, ${lost} decisions lost`, { fix: 'does a sink refuse what it is sent? docs/watch.md' });
    }),
  };
}

/** What the gate says otherwise than the policy here. Of what is asked in earnest only the gate can tell. */
async function differences(gate, policy, asked) {
  const rehearsal = await createRehearsal(policy.own, { keys: 'stand-in' });
  const found = [];
  for (const { method, path } of asked) {
    const here = await rehearsal.explain({ method, url: urlAt(policy.own, path), headers: {} });
    const there = await gate.call('explain', { method, path, headers: {} });
    const said = ({ route, outcome: { code } }) => `${route ?? 'no route'} ${code ?? 'admitted'}`;
    if (said(here) !== said(there)) found.push(`${method} ${path}: ${said(there)}, and here ${said(here)}`);
  }
  return found;
}
