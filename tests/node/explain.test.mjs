// `gate.explain`: it says what `check` says, and does nothing of it. tests/suite/explain.rs holds every rule of it over generated requests.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import { EdgegateError, memoryStore } from '../../pkg/wasm/node.js';
import { NOW, bearer, gateOf, policy, request, token } from './gate.mjs';
import { refusalOfPromise } from './support.mjs';

const ip = { clientIp: '192.0.2.7' };
const refusing = ({ steps }) => steps.find(({ verdict }) => verdict === 'refused');

describe('what it says', () => {
  test('is what check then says, with the step and the place in the policy', async () => {
    const { gate } = gateOf();
    for (const [path, headers, outcome, step, place] of [
      ['/v1/posts', {}, { status: 401, code: 'MISSING_CREDENTIALS', reason: 'missing_credentials' }, 'credential', /^routes\[\d\]\.auth$/],
      ['/v1/posts', bearer(token({ scope: 'other' })), { status: 403, code: 'INSUFFICIENT_SCOPE', reason: 'insufficient_scope' }, 'scopes', /^routes\[\d\]\.scopes$/],
      ['/v1/posts', bearer(token({ exp: NOW - 1 })), { status: 401, code: 'TOKEN_EXPIRED', reason: 'token_expired' }, 'credential', /^issuers$/],
      ['/v1/posts', { 'x-api-key': 'sk_test_nonsense' }, { status: 401, code: 'INVALID_API_KEY', reason: undefined }, 'credential', /^api_keys$/],
      ['/v1/%2e%2e/posts', {}, { status: 400, code: 'INVALID_REQUEST', reason: undefined }, 'route', undefined],
    ]) {
      // As a server gets it: `Request` would resolve the dots.
      const asked = { method: 'GET', url: path, headers };
      const explained = await gate.explain(asked, ip);
      const decision = await gate.check(asked, ip);
      const { status, code, reason } = explained.outcome;
      assert.deepEqual([status, code, reason], [decision.status, decision.code, decision.reason], path);
      assert.deepEqual([status, code], [outcome.status, outcome.code]);
      assert.equal(refusing(explained).step, step);
      if (place) assert.match(refusing(explained).policyPath, place);
      assert.equal(refusing(explained).detail, decision.message);
    }
  });

  test('of an admitted request each step, in the names of the package', async () => {
    const { gate } = gateOf();
    const explained = await gate.explain(request('/v1/posts', bearer(token({ scope: 'read:posts' }))), ip);
    assert.deepEqual(explained.outcome, { status: 200 });
    assert.match(explained.route, /^routes\[\d\]$/);
    assert.deepEqual(explained.steps.map(({ step }) => step), ['route', 'addresses', 'credential', 'proof', 'revocation', 'scopes', 'claims', 'limits']);
    assert.deepEqual(explained.steps[0], { step: 'route', verdict: 'passed', policyPath: explained.route });
    assert.ok(explained.steps.every((step) => !('policy_path' in step)));
    assert.ok(!('route' in (await gate.explain(request('/elsewhere')))));
  });

  test('of a request that is none: the error of check', async () => {
    const { gate } = gateOf();
    for (const given of [undefined, {}, { method: 'GET', url: '/', headers: 7 }]) {
      const [of, by] = [await refusalOfPromise(gate.explain(given), EdgegateError), await refusalOfPromise(gate.check(given), EdgegateError)];
      assert.deepEqual(of, by);
    }
    assert.equal((await refusalOfPromise(gate.explain(request('/'), { ip: '192.0.2.1' }), EdgegateError)).code, 'CONFIG_ERROR');
  });
});

describe('what it leaves as it is', () => {
  test('limits, failed attempts, the log and the use of keys', async () => {
    const { gate, events, stores } = gateOf({ policy: policy({ failed_authentication: { requests: 2, window_secs: 60 } }) });
    const { key, id } = await gate.keys.mint({ name: 'n', owner: 'o', scopes: ['read:posts'] });
    const before = JSON.stringify(await contents(stores));
    for (let times = 0; times < 40; times += 1) {
      await gate.explain(request('/v1/limited', bearer(token())), ip);
      await gate.explain(request('/v1/posts', bearer('forged')), ip);
      await gate.explain(request('/v1/posts', { 'x-api-key': key }), ip);
    }
    assert.equal(JSON.stringify(await contents(stores)), before);
    assert.deepEqual(events, []);
    const limited = await gate.check(request('/v1/limited', bearer(token())), ip);
    assert.ok(limited.ok);
    assert.match(limited.headers.RateLimit, /r=4\b/);
    assert.equal((await gate.check(request('/v1/posts', bearer('forged')), ip)).code, 'INVALID_TOKEN');
    assert.equal((await gate.keys.get(id)).lastUsedAt, undefined);
  });

  test('a limit that is used up is known, and asking does not use it', async () => {
    const { gate } = gateOf({ policy: policy({ limits: [{ name: 'limited', by: 'caller', requests: 1, window_secs: 60, store: 'memory' }] }) });
    const again = () => request('/v1/limited', bearer(token()));
    assert.equal(refusing(await gate.explain(again(), ip)), undefined);
    assert.ok((await gate.check(again(), ip)).ok);
    const explained = await gate.explain(again(), ip);
    assert.deepEqual([explained.outcome.code, refusing(explained).policyPath], ['RATE_LIMITED', 'limits[0]']);
    assert.equal((await gate.check(again(), ip)).code, 'RATE_LIMITED');
  });

  test('stores are read, and a store that fails is told', async () => {
    const broken = { ...memoryStore(), get: () => Promise.reject(new Error('down')), put: assert.fail, delete: assert.fail, list: assert.fail };
    const { gate } = gateOf({ stores: { revocation: broken } });
    const explained = await gate.explain(request('/v1/posts', bearer(token({ scope: 'read:posts', jti: 'x' }))), ip);
    assert.deepEqual([explained.outcome.code, refusing(explained).step], ['STORE_UNAVAILABLE', 'revocation']);
  });
});

test('no header comes back, whatever it holds', async () => {
  const canary = 'c4n4ryc4n4ryc4n4ry';
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { d } = privateKey.export({ format: 'jwk' });
  const { gate } = gateOf({ policy: policy({ cookie: 'session', credential_headers: undefined }) });
  const values = [canary, `Bearer ${canary}`, `Basic ${canary}`, `Bearer ${canary}.${canary}.${canary}`, `sk_test_${canary}`, `session=${canary}`, d, token({ scope: canary.slice(1) }), `Bearer ${token({ sub: canary })}`];
  for (const name of ['authorization', 'dpop', 'x-api-key', 'cookie', 'origin', 'x-forwarded-for']) {
    for (const value of values) {
      for (const path of ['/v1/posts', '/public/a', `/elsewhere?token=${canary}`]) {
        const text = JSON.stringify(await gate.explain(request(path, { [name]: value }), ip));
        for (const part of value.split(/[ .=]/).filter((one) => one.length > 12)) assert.ok(!text.includes(part), `${name}: ${value}: ${text}`);
        assert.ok(!text.includes(canary), text);
      }
    }
  }
});

/** All that stores hold. */
async function contents(stores) {
  const found = {};
  for (const [name, store] of Object.entries(stores)) {
    const { keys } = await store.list('', { limit: 1000 });
    found[name] = [keys, await store.get(keys)];
  }
  return found;
}
