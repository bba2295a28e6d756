// How long a verification takes here.

import { createApiKeys, createVerifier } from '../pkg/browser.js';

import { AUDIENCE, ISSUER, newKey } from './example.js';

const ROUNDS = 5;
const ROUND_MILLIS = 120;

/** Lets the page draw and answer between two rounds. */
const breathe = () => new Promise((resolve) => setTimeout(resolve, 0));

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Microseconds for one `step`: the median of some rounds, each of as many steps as fit. */
async function time(step) {
  const rounds = [];
  for (let warmUp = 0; warmUp < 20; warmUp += 1) await step();
  for (let round = 0; round < ROUNDS; round += 1) {
    await breathe();
    const start = performance.now();
    let count = 0;
    let spent = 0;
    while (spent < ROUND_MILLIS) {
      for (let few = 0; few < 10; few += 1) await step();
      count += 10;
      spent = performance.now() - start;
    }
    rounds.push((spent * 1000) / count);
  }
  return median(rounds);
}

/** Verifies with one key what it signed, without a cache. */
async function tokenStep(alg) {
  const { jwk, sign } = await newKey(alg, 'speed');
  const now = Math.floor(Date.now() / 1000);
  const token = await sign({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', scope: 'read:posts', iat: now, exp: now + 3600, jti: crypto.randomUUID() });
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, key: jwk, algorithms: [alg], cache: false });
  await verifier.verify(token);
  // What the engine checks by itself needs no waiting.
  return ['HS256', 'EdDSA'].includes(alg) ? () => verifier.verifySync(token) : () => verifier.verify(token);
}

function apiKeyStep() {
  const keys = createApiKeys({ environment: 'test', prefixes: ['sk'], signingKeys: [{ id: 1, secret: crypto.getRandomValues(new Uint8Array(32)) }] });
  const { key } = keys.mint();
  return () => keys.verify(key);
}

/** Measures one after the other; `begin` is told the name of each. What this browser cannot sign is left out. */
export async function measure(begin) {
  const results = [];
  for (const [name, make] of [
    ['API key', apiKeyStep],
    ['HS256', () => tokenStep('HS256')],
    ['EdDSA', () => tokenStep('EdDSA')],
    ['RS256', () => tokenStep('RS256')],
    ['ES256', () => tokenStep('ES256')],
  ]) {
    begin(name);
    await breathe();
    let step;
    try {
      step = await make();
    } catch (error) {
      if (error.name === 'NotSupportedError') continue;
      throw error;
    }
    const micros = await time(step);
    results.push({ name, micros, perSecond: 1e6 / micros });
  }
  return results;
}
