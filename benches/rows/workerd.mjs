// The same in workerd: a request that verifies all tokens, less one that verifies none.

import assert from 'node:assert/strict';

import { createApiKeys } from '../../pkg/wasm/node.js';
import { assertRefuses, assertVerifies } from '../lib/agree.mjs';
import { atLeast, atMost, compare, median, rounds } from '../lib/measure.mjs';
import { newKey, newTokens } from '../lib/tokens.mjs';
import { startRuntime } from '../workerd/runtime.mjs';

const OURS = 'await verify';
const NOTHING = 'nothing';
const BARE = 'crypto.subtle.verify';

/** One workerd for all rows. */
function runtime(context) {
  context.runtime ??= startRuntime().then((started) => {
    context.closing.push(() => started.dispose());
    return started;
  });
  return context.runtime;
}

/** What a contestant over there says to one token; throws if it refuses. */
const asked = (workerd, name) => async (token) => {
  const { status, text } = await workerd.ask('POST', `/verify?who=${encodeURIComponent(name)}`, token);
  if (status !== 200) throw new Error(text);
  return JSON.parse(text);
};

const load = async (workerd, who, key, tokens) => {
  const { status, text } = await workerd.ask('POST', '/load', JSON.stringify({ who, key, tokens }));
  assert.equal(status, 200, text);
};

/** The time of one verification by each contestant in each round, in µs. */
async function timed(context, workerd, who, key, count, newBatch) {
  const names = [NOTHING, ...who];
  // A token brought once is verified once by each: the next round brings others.
  let brought = null;
  const contestants = names.map((name) => ({
    name,
    run: async () => {
      const { status, text } = await workerd.ask('GET', `/run?who=${encodeURIComponent(name)}`);
      assert.deepEqual([status, text], [200, String(count)], name);
    },
  }));
  const times = await rounds(contestants, {
    ...context.rounds,
    clocks: { workerd: workerd.clock },
    work: async () => {
      brought = newBatch();
      await load(workerd, names, key, brought);
      return () => undefined;
    },
  });
  const base = median(times(NOTHING));
  return (name) => ({ name, times: times(name).map((time) => ((time - base) / count) * 1000) });
}

const tokens = (algorithm, batch, peers, lines) => async (context) => {
  const workerd = await runtime(context);
  const key = newKey(algorithm);
  const sent = { algorithm, jwk: key.jwk };
  const who = [OURS, ...peers];
  await load(workerd, who, sent, []);
  for (const name of who) {
    const verify = asked(workerd, name);
    if (name === BARE) await assertRefuses(name, verify, key, ['a changed signature', 'changed claims']);
    else await assertVerifies(name, verify, key);
  }
  const count = context.scaled(batch);
  const found = await timed(context, workerd, who, sent, count, () => newTokens(key, count));
  return lines.map(([peer, kind, target]) => compare({ subject: found(OURS), peer: found(peer), kind, target, unit: 'µs' }));
};

const HMAC_PEERS = ['jose', 'hono/jwt', '@tsndr/cloudflare-worker-jwt'];

const OURS_KEYS = 'keys.verify';
const DIGEST = 'crypto.subtle.digest';

async function apiKeys(context) {
  const workerd = await runtime(context);
  const { secret } = newKey('HS256');
  const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] });
  const who = [OURS_KEYS, DIGEST];
  await load(workerd, who, { secret }, []);
  const { key, id } = keys.mint();
  assert.equal((await asked(workerd, OURS_KEYS)(key)).id, id);
  await assert.rejects(asked(workerd, OURS_KEYS)(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`));
  const count = context.scaled(2000);
  const newKeys = () => Array.from({ length: count }, () => keys.mint().key);
  const found = await timed(context, workerd, who, { secret }, count, newKeys);
  return [compare({ subject: found(OURS_KEYS), peer: found(DIGEST), kind: 'time', target: atMost(1), unit: 'µs' })];
}

export const WORKERD_ROWS = [
  {
    id: 'hs256-workerd',
    about: 'HS256 in workerd, fresh tokens',
    run: tokens('HS256', 1500, HMAC_PEERS, [
      ['jose', 'speed', atLeast(2)],
      ['hono/jwt', 'speed', atLeast(2)],
      ['@tsndr/cloudflare-worker-jwt', 'speed', null],
    ]),
  },
  {
    id: 'rs256-workerd',
    about: 'RS256 in workerd, fresh tokens',
    run: tokens('RS256', 300, ['jose', BARE], [['jose', 'speed', atLeast(1.5)], [BARE, 'time', atMost(1.3)]]),
  },
  {
    id: 'es256-workerd',
    about: 'ES256 in workerd, fresh tokens',
    run: tokens('ES256', 200, ['jose', BARE], [['jose', 'speed', atLeast(1.5)], [BARE, 'time', atMost(1.3)]]),
  },
  {
    id: 'eddsa-workerd',
    about: 'Ed25519 in workerd, fresh tokens',
    run: tokens('EdDSA', 150, ['jose', BARE], [['jose', 'speed', null], [BARE, 'time', null]]),
  },
];

export const API_KEY_WORKERD = { id: 'api-key-workerd', about: 'An API key in workerd', run: apiKeys };
