// API keys in Node: beside a hash of the key, which a look-up by hash would begin with; and with many keys minted.

import assert from 'node:assert/strict';
import { createHash, hash, randomBytes, webcrypto } from 'node:crypto';

import { createApiKeys } from '../../pkg/wasm/node.js';
import { atMost, compare, processorClock, rounds, wallClock } from '../lib/measure.mjs';
import { fresh } from '../lib/tokens.mjs';

const OURS = 'keys.verify';

const newApiKeys = () => createApiKeys({
  environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: randomBytes(32) }],
});

/** Fails unless a minted key is known by its id, and refused with any one of its characters changed. */
function assertVerifies(keys) {
  const { key, id } = keys.mint();
  assert.equal(keys.verify(key).id, id);
  for (let at = 'sk_live_'.length; at < key.length; at += 1) {
    const changed = key.slice(0, at) + (key[at] === 'a' ? 'b' : 'a') + key.slice(at + 1);
    assert.throws(() => keys.verify(changed), { code: 'INVALID_API_KEY' });
  }
}

const batch = (name, call) => ({
  name,
  run: (keys) => {
    let last;
    for (let index = 0; index < keys.length; index += 1) last = call(keys[index]);
    return last;
  },
});

const awaitedBatch = (name, call) => ({
  name,
  run: async (keys) => {
    let last;
    for (let index = 0; index < keys.length; index += 1) last = await call(keys[index]);
    return last;
  },
});

async function besideHashing(context) {
  const keys = newApiKeys();
  assertVerifies(keys);
  const encoder = new TextEncoder();
  const ours = batch(OURS, (key) => keys.verify(key));
  const count = context.scaled(2000);
  const work = () => {
    const minted = Array.from({ length: count }, () => keys.mint().key);
    return () => fresh(minted);
  };
  const beside = async (clocks, lines) => {
    const times = await rounds([ours, ...lines.map(([peer]) => peer)], { ...context.rounds, clocks, work });
    const found = (name) => ({ name, times: times(name).map((time) => (time / count) * 1000) });
    return lines.map(([{ name }, target]) =>
      compare({ subject: found(OURS), peer: found(name), kind: 'time', target, unit: 'µs' }));
  };
  return [
    ...await beside({ processor: processorClock }, [
      [batch('createHash', (key) => createHash('sha256').update(key).digest('hex')), atMost(1)],
      // Of Node 20.12 and later: one call, no object.
      ...(hash === undefined ? [] : [[batch('crypto.hash', (key) => hash('sha256', key)), null]]),
    ]),
    ...await beside({ wall: wallClock }, [
      [awaitedBatch('crypto.subtle.digest', (key) => webcrypto.subtle.digest('SHA-256', encoder.encode(key))), atMost(1)],
    ]),
  ];
}

/** A tenth is what the processor's caches may cost for so many strings. */
const FLAT = 1.1;

async function flat(context) {
  const keys = newApiKeys();
  assertVerifies(keys);
  const sizes = context.quick ? [1, 1000] : [1, 1000, 1_000_000];
  const all = Array.from({ length: sizes.at(-1) }, () => keys.mint().key);
  const name = (size) => (size === 1 ? 'the only key' : `one of ${size.toLocaleString('en')} keys`);
  const count = context.scaled(2000);
  const contestants = sizes.map((size) => ({ ...batch(name(size), (key) => keys.verify(key)), size }));
  const times = await rounds(contestants, {
    ...context.rounds,
    clocks: { processor: processorClock },
    work: () => ({ size }) => fresh(Array.from({ length: count }, () => all[Math.floor(Math.random() * size)])),
  });
  const found = (size) => ({ name: name(size), times: times(name(size)).map((time) => (time / count) * 1000) });
  const beside = (size, other, target) => compare({ subject: found(size), peer: found(other), kind: 'time', target, unit: 'µs' });
  return [
    ...sizes.slice(1).map((size) => beside(size, 1, atMost(FLAT))),
    ...sizes.slice(2).map((size) => beside(size, 1000, null)),
  ];
}

export const API_KEY_ROWS = [
  { id: 'api-key-node', about: 'An API key in Node', run: besideHashing },
  { id: 'api-key-flat', about: 'An API key of many, in Node', run: flat },
];
