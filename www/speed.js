// How long a verification takes here: with the engine, with jose, and the signature alone with the browser's own crypto.

import { createApiKeys, createVerifier } from '../pkg/browser.js';

import { AUDIENCE, ISSUER, newKey } from './example.js';

const ROUNDS = 5;
const ROUND_MILLIS = 80;

/** What is measured of each algorithm, in the order of the chart. */
export const SERIES = [
  { id: 'edgegate', title: 'edgegate' },
  { id: 'jose', title: 'jose' },
  { id: 'crypto', title: 'signature alone' },
];

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

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));

/** jose is loaded when it is first measured. Without it there is no bar. */
async function jose() {
  try {
    return await import('./vendor/jose.js');
  } catch {
    return undefined;
  }
}

/** The same token for each: verified with one key, without a cache. */
async function tokenSteps(alg) {
  const { jwk, sign, verifying, kind } = await newKey(alg, 'speed');
  const now = Math.floor(Date.now() / 1000);
  const token = await sign({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', scope: 'read:posts', iat: now, exp: now + 3600, jti: crypto.randomUUID() });
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, key: jwk, algorithms: [alg], cache: false });
  await verifier.verify(token);
  // What the engine checks by itself needs no waiting.
  const steps = { edgegate: ['HS256', 'EdDSA'].includes(alg) ? () => verifier.verifySync(token) : () => verifier.verify(token) };
  const other = await jose();
  const rules = { issuer: ISSUER, audience: AUDIENCE, algorithms: [alg] };
  if (other !== undefined) steps.jose = () => other.jwtVerify(token, verifying, rules);
  const message = new TextEncoder().encode(token.slice(0, token.lastIndexOf('.')));
  const signature = bytesOf(token.slice(token.lastIndexOf('.') + 1));
  steps.crypto = () => crypto.subtle.verify(kind, verifying, signature, message);
  return steps;
}

function apiKeySteps() {
  const keys = createApiKeys({ environment: 'test', prefixes: ['sk'], signingKeys: [{ id: 1, secret: crypto.getRandomValues(new Uint8Array(32)) }] });
  const { key } = keys.mint();
  return { edgegate: () => keys.verify(key) };
}

/** Measures one after the other; `begin` is told the name of each. What this browser cannot sign is left out. */
export async function measure(begin) {
  const results = [];
  for (const [name, make] of [
    ['API key', apiKeySteps],
    ['HS256', () => tokenSteps('HS256')],
    ['EdDSA', () => tokenSteps('EdDSA')],
    ['RS256', () => tokenSteps('RS256')],
    ['ES256', () => tokenSteps('ES256')],
  ]) {
    begin(name);
    await breathe();
    let steps;
    try {
      steps = await make();
    } catch (error) {
      if (error.name === 'NotSupportedError') continue;
      throw error;
    }
    const result = { name };
    for (const [id, step] of Object.entries(steps)) result[id] = await time(step);
    results.push(result);
  }
  return results;
}
