// Tokens in Node: fresh ones, and the same again.

import { verify as cryptoVerify } from 'node:crypto';

import { createVerifier } from '../../pkg/wasm/node.js';
import { assertRefuses, assertVerifies } from '../lib/agree.mjs';
import { atLeast, atMost, compare, processorClock, rounds, wallClock } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { fastJwt, jsonWebToken } from '../lib/peers-node.mjs';
import { hono, joseWith, tsndr, webKey } from '../lib/peers-web.mjs';
import { fresh, newKey, newTokens } from '../lib/tokens.mjs';

const SYNC = 'verifySync';
const ASYNC = 'await verify';

const AT_ONCE = { processor: processorClock };
/** WebCrypto works in other threads: the one is what a caller waits, the other what a server pays. */
const AWAITED = { wall: wallClock, processor: processorClock };

const verifierFor = ({ algorithm, jwk, keyObject }, cache) => createVerifier({
  issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], key: algorithm === 'HS256' ? keyObject : jwk, cache,
});

/** A contestant that answers at once, over a batch. */
const sync = (name, verify) => ({
  name,
  verify,
  run: (tokens) => {
    let last;
    for (let index = 0; index < tokens.length; index += 1) last = verify(tokens[index]);
    return last;
  },
});

/** One that answers with a promise: awaited, as a request would. */
const async = (name, verify) => ({
  name,
  verify,
  run: async (tokens) => {
    let last;
    for (let index = 0; index < tokens.length; index += 1) last = await verify(tokens[index]);
    return last;
  },
});

/** All contestants of a call are either at once or awaited: the one kind is timed by the processor, the other by both clocks. */
async function cold(context, key, contestants, { batch, clocks }) {
  for (const { name, verify, bad } of contestants) await (bad ?? assertVerifies)(name, verify, key);
  const count = context.scaled(batch);
  const times = await rounds(contestants, {
    ...context.rounds,
    clocks,
    work: () => {
      const tokens = newTokens(key, count);
      return ({ prepare = fresh }) => prepare(tokens);
    },
  });
  const found = (name, clock) => ({ name, times: times(name, clock).map((time) => (time / count) * 1000) });
  return (subject, peer, kind, target, clock) => ({
    ...compare({ subject: found(subject, clock), peer: found(peer, clock), kind, target, unit: 'µs' }),
    ...(clock === undefined ? {} : { peer: `${peer}, ${clock} time` }),
  });
}

const edgegate = (key) => {
  const verifier = verifierFor(key, false);
  return [
    sync(SYNC, (token) => verifier.verifySync(token).claims),
    async(ASYNC, async (token) => (await verifier.verify(token)).claims),
  ];
};

/** `crypto.verify` with everything decoded beforehand: what no verifier on top of it can be quicker than. */
function bare({ algorithm, keyObject }) {
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  const key = algorithm === 'ES256' ? { key: keyObject, dsaEncoding: 'ieee-p1363' } : keyObject;
  const check = ({ message, signature }) => {
    if (!cryptoVerify(hash, message, key, signature)) throw new Error('signature');
  };
  const decode = (token) => {
    const end = token.lastIndexOf('.');
    return { message: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') };
  };
  return {
    ...sync('node:crypto.verify', check),
    prepare: (tokens) => tokens.map(decode),
    bad: (name, verify, key) =>
      assertRefuses(name, (token) => verify(decode(token)), key, ['a changed signature', 'changed claims']),
  };
}

/** Those that answer at once by themselves: beside slow ones their batches would be too short, or take too long. */
async function hs256(context) {
  const key = newKey('HS256');
  const imported = await webKey(key);
  const [atOnce, awaited] = edgegate(key);
  const quick = await cold(context, key, [
    atOnce,
    sync('fast-jwt, no cache', fastJwt(key)),
    sync('jsonwebtoken', jsonWebToken(key)),
  ], { batch: 2000, clocks: AT_ONCE });
  const slow = await cold(context, key, [
    awaited,
    async('jose', joseWith(imported, key)),
    async('jose, secret as bytes', joseWith(new TextEncoder().encode(key.secret), key)),
    async('hono/jwt', hono(imported, key)),
    async('hono/jwt, secret as text', hono(key.secret, key)),
    async('@tsndr/cloudflare-worker-jwt', tsndr(imported, key)),
  ], { batch: 500, clocks: AWAITED });
  return [
    quick(SYNC, 'fast-jwt, no cache', 'speed', atLeast(1.3)),
    quick(SYNC, 'jsonwebtoken', 'speed'),
    slow(ASYNC, 'jose', 'speed', atLeast(12)),
    slow(ASYNC, 'jose', 'speed', null, 'processor'),
    slow(ASYNC, 'jose, secret as bytes', 'speed'),
    slow(ASYNC, 'hono/jwt', 'speed'),
    slow(ASYNC, 'hono/jwt, secret as text', 'speed'),
    slow(ASYNC, '@tsndr/cloudflare-worker-jwt', 'speed'),
  ];
}

/** A hundred callers that come again and again, each time with a new string. */
async function again(context) {
  const key = newKey('HS256');
  const verifier = verifierFor(key, { entries: 1000 });
  const contestants = [
    sync(SYNC, (token) => verifier.verifySync(token).claims),
    sync('fast-jwt, cache', fastJwt(key, { cache: 1000 })),
  ];
  // Twice: what is kept has to be right, too.
  for (const { name, verify } of [...contestants, ...contestants]) await assertVerifies(name, verify, key);
  const tokens = newTokens(key, 100);
  const count = context.scaled(2000);
  const times = await rounds(contestants, {
    ...context.rounds,
    clocks: AT_ONCE,
    work: () => () => fresh(Array.from({ length: count }, (_, index) => tokens[index % tokens.length])),
  });
  const found = (name) => ({ name, times: times(name).map((time) => (time / count) * 1000) });
  return [compare({ subject: found(SYNC), peer: found('fast-jwt, cache'), kind: 'speed', target: atLeast(3), unit: 'µs' })];
}

const asymmetric = (algorithm, batch) => async (context) => {
  const key = newKey(algorithm);
  const [atOnce, awaited] = edgegate(key);
  // jsonwebtoken does not know EdDSA.
  const others = algorithm === 'EdDSA' ? [] : [sync('jsonwebtoken', jsonWebToken(key))];
  const contestants = [atOnce, bare(key), sync('fast-jwt', fastJwt(key)), ...others];
  const result = await cold(context, key, contestants, { batch, clocks: AT_ONCE });
  const slow = await cold(context, key, [awaited, async('jose', joseWith(await webKey(key), key))], { batch, clocks: AWAITED });
  return [
    result(SYNC, 'fast-jwt', 'speed', atLeast(1.1)),
    result(SYNC, 'node:crypto.verify', 'time', atMost(1.15)),
    ...others.map(({ name }) => result(SYNC, name, 'speed')),
    slow(ASYNC, 'jose', 'speed'),
    slow(ASYNC, 'jose', 'speed', null, 'processor'),
  ];
};

export const NODE_ROWS = [
  { id: 'hs256-node', about: 'HS256 in Node, fresh tokens', run: hs256 },
  { id: 'hs256-node-again', about: 'HS256 in Node, the same tokens again', run: again },
  { id: 'rs256-node', about: 'RS256 in Node, fresh tokens', run: asymmetric('RS256', 100) },
  { id: 'es256-node', about: 'ES256 in Node, fresh tokens', run: asymmetric('ES256', 60) },
  { id: 'eddsa-node', about: 'Ed25519 in Node, fresh tokens', run: asymmetric('EdDSA', 60) },
];
