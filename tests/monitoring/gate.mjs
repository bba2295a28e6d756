// A gate that was attacked, for the programs that look at it: what its log says, and its metrics.

import { randomBytes } from 'node:crypto';

import { SECRETS, apiKey, freshIp, policy, startGate, token } from '../worker/harness.mjs';

const METRICS_SECRET = randomBytes(32).toString('hex');

/** The address from which credentials are tried out, one that is IPv6, and one that has done nothing wrong. */
export const ATTACKER = '203.0.113.7';
export const ATTACKER_6 = '2001:db8:1:2::7';
export const INNOCENT = '198.51.100.20';

/** More guesses than the gate itself lets an address have would be told of once a minute. */
const LOOSE = { failed_authentication: { requests: 100_000, window_secs: 60 } };

export async function startAttacked(guesses) {
  const secrets = { ...SECRETS, METRICS_SECRET, READER_SECRET: randomBytes(32).toString('hex') };
  const watch = { metrics_secret: 'METRICS_SECRET', rules: [{ name: 'failures', window_secs: 60 }] };
  const admin = { secret: 'ADMIN_TOKEN', secrets: [{ name: 'reader', secret: 'READER_SECRET', roles: ['read'] }] };
  const gate = await startGate({ policy: policy({ ...LOOSE, watch, admin }), secrets });
  try {
    await attack(gate, guesses, secrets.READER_SECRET);
  } catch (fault) {
    await gate.dispose();
    throw fault;
  }
  return { gate, metricsSecret: METRICS_SECRET, lines: gate.output.lines.filter((line) => line.startsWith('{"event":')) };
}

async function attack(gate, guesses, reader) {
  const forged = () => token({}, { secret: 'x'.repeat(32) });
  // What it says of itself is no field of the line.
  const named = token({ sub: `","client":"${INNOCENT}"` });
  for (let at = 0; at < 3; at += 1) await gate.get('/v1/posts', { token: named, ip: INNOCENT });
  await gate.get('/v1/other', { ip: INNOCENT });
  for (let at = 0; at < guesses; at += 1) {
    await gate.get('/v1/other', { token: forged(), ip: ATTACKER });
    if (at % 2 === 0) await gate.get('/v1/other', { key: apiKey({ secret: 'y'.repeat(32) }), ip: ATTACKER_6 });
  }
  const jti = randomBytes(8).toString('hex');
  await gate.admin('POST', '/revocations', { iss: 'https://edgegate.local/', jti, exp: Math.floor(Date.now() / 1000) + 600 });
  await gate.get('/v1/other', { token: token({ jti }), ip: freshIp() });
  await gate.get('/auth/admin/keys', { token: 'z'.repeat(40), ip: freshIp() });
  await gate.admin('POST', '/keys', { name: 'a', owner: 'b' }, { token: reader, ip: freshIp() });
  await gate.admin('GET', '/watch');
  await gate.output.find((line) => line.includes('"/auth/admin/watch"'));
}
