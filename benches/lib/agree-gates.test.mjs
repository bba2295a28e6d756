// Who does less than the others is found out before anything is timed.

import assert from 'node:assert/strict';
import test from 'node:test';

import hono from '../peers/worker-hono.mjs';
import jose from '../peers/worker-jose.mjs';
import pass from '../peers/worker-pass.mjs';
import upstream from '../peers/worker-upstream.mjs';
import { assertOpens, assertTakesTokens } from './agree-gates.mjs';
import { AUDIENCE, ISSUER } from './names.mjs';
import { newKey } from './tokens.mjs';

const key = newKey('HS256');
const ENV = { JWK: key.jwk, JWT_SECRET: key.secret, ISSUER, AUDIENCE, UPSTREAM: upstream };

/** A Worker as the proofs ask it, without workerd. */
function gateOf(worker, env = {}) {
  const request = async (method, path, { token, headers = {}, body } = {}) => {
    const sent = new Request(`http://gate.test${path}`, { method, body, headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) } });
    const answer = await worker.fetch(sent, { ...ENV, ...env });
    const text = await answer.text();
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text, json: () => JSON.parse(text) };
  };
  return { request, get: (path, options) => request('GET', path, options) };
}

const proven = (worker, env) => assertTakesTokens('it', gateOf(worker, env), key, (token) => ({ token }));

test('those that do the job pass', async () => {
  await proven(jose);
  await assertOpens('it', gateOf(jose));
});

// It keeps its middleware, with what it was told first.
test('so does hono/jwt', async () => {
  await proven(hono);
  await assertOpens('it', gateOf(hono));
});

const changed = (change) => ({ fetch: async (request, env) => change(await jose.fetch(request, env)) });
const withoutCaching = changed((answer) => {
  answer.headers.delete('cache-control');
  return answer;
});
const asBadGateway = changed((answer) => (answer.status === 403 ? new Response('', { status: 502 }) : answer));
const telling = {
  fetch: (request, env) => jose.fetch(request, {
    ...env,
    UPSTREAM: { fetch: (sent) => (sent.headers.set('x-was', request.headers.get('authorization')), upstream.fetch(sent)) },
  }),
};

for (const [what, worker, env, message] of [
  ['takes any audience', jose, { AUDIENCE: undefined }, /another audience/],
  ['takes any issuer', jose, { ISSUER: undefined }, /another issuer/],
  ['asks nobody for anything', pass, {}, /without a credential/],
  ['lets shared caches keep answers', withoutCaching, {}, /shared caches/],
  ['says something else', asBadGateway, {}, /another scope/],
  ['shows the upstream the token', telling, {}, /shows the upstream a credential/],
]) {
  test(`who ${what} is not timed`, () => assert.rejects(proven(worker, env), { message }));
}

test('who lets a forged identity pass on an open route is not timed', () =>
  assert.rejects(assertOpens('it', gateOf(pass)), { code: 'ERR_ASSERTION' }));
