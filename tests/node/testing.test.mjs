// `edgegate/testing`: a policy in a rehearsal, with somebody in the place of its issuers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { parse } from 'smol-toml';

import { createRehearsal } from '../../pkg/wasm/testing.js';
import { guides } from '../../xtask/package/cli.mjs';

const ROOT = new URL('../../', import.meta.url);
const samples = JSON.parse(readFileSync(new URL('tests/vectors/policies.json', ROOT), 'utf8'));
const example = parse(readFileSync(new URL('wrangler.toml', ROOT), 'utf8')).vars.POLICY;

const request = (path, authorization, { method = 'GET', headers = {} } = {}) => ({
  method, url: `https://api.example.com${path}`, headers: { ...headers, ...(authorization && { authorization: `Bearer ${authorization}` }) },
});
const codeOf = ({ outcome: { code, status } }) => code ?? status;

describe('a rehearsal', () => {
  test('takes every sample policy and every guide as the Worker does, without a secret, a store or the network', async () => {
    const fetched = globalThis.fetch;
    globalThis.fetch = () => assert.fail('nothing is fetched');
    try {
      const policies = [example, ...samples, ...guides().map(({ policy }) => parse(policy).vars?.POLICY ?? parse(policy))];
      for (const policy of policies) {
        const rehearsal = await createRehearsal(policy);
        const { outcome } = await rehearsal.explain(request('/nowhere/at/all'));
        assert.ok(Number.isInteger(outcome.status));
        for (const { issuer } of policy.issuers ?? []) {
          // What is refused is not refused for the token itself.
          const explained = await rehearsal.explain(request('/nowhere/at/all', await rehearsal.token({ issuer })));
          assert.ok(!['INVALID_TOKEN', 'KEYS_UNAVAILABLE', 'TOKEN_EXPIRED'].includes(explained.outcome.code), `${issuer}: ${JSON.stringify(explained)}`);
        }
      }
    } finally {
      globalThis.fetch = fetched;
    }
  });

  test('judges tokens, keys and sessions of its own', async () => {
    const rehearsal = await createRehearsal(example);
    const ask = async (authorization, options) => codeOf(await rehearsal.explain(request('/v1/posts', authorization, options)));
    assert.equal(await ask(), 'MISSING_CREDENTIALS');
    assert.equal(await ask(await rehearsal.token()), 'INSUFFICIENT_SCOPE');
    const good = await rehearsal.token({ scopes: ['read:posts'] });
    assert.equal(await ask(good), 200);
    assert.equal(await ask(good, { method: 'POST' }), 'INSUFFICIENT_SCOPE');
    assert.equal(await ask(await rehearsal.token({ scopes: ['read:posts'], expiresInSecs: -10 })), 'TOKEN_EXPIRED');
    assert.equal(await ask(await rehearsal.token({ scopes: ['read:posts'], claims: { aud: 'somebody else' } })), 'INVALID_TOKEN');
    const { key, id } = await rehearsal.keys.mint({ name: 'n', owner: 'o', scopes: ['read:posts'] });
    assert.equal(await ask(undefined, { headers: { 'X-API-Key': key } }), 200);
    await rehearsal.keys.revoke(id);
    assert.equal(await ask(undefined, { headers: { 'X-API-Key': key } }), 'API_KEY_REVOKED');
    const { accessToken } = await rehearsal.sessions.open({ subject: 'alice', scopes: ['read:posts'] });
    assert.equal(await ask(accessToken), 200);
    await rehearsal.revocations.add({ token: good });
    assert.equal(await ask(good), 'TOKEN_REVOKED');
  });

  test('has what the Worker alone has: https, the ledger, limits anywhere', async () => {
    const policy = {
      ...example, https: 'redirect', security_headers: true, revocation: { mode: 'ledger' },
      limits: [{ name: 'kv', by: 'ip', requests: 9, window_secs: 60, store: 'kv' }], routes: [{ path: '/*', limits: ['kv'] }],
    };
    const rehearsal = await createRehearsal(policy);
    const token = await rehearsal.token();
    const explained = await rehearsal.explain(request('/', token));
    assert.deepEqual(explained.steps.map(({ step, verdict }) => `${step} ${verdict}`), [
      'https passed', 'route passed', 'addresses skipped', 'credential passed', 'proof skipped', 'scopes skipped', 'claims skipped', 'revocation passed', 'limits would_be_asked',
    ]);
    const plain = { ...request('/'), url: 'http://api.example.com/' };
    assert.deepEqual((await rehearsal.explain(plain)).outcome, { status: 308 });
    const clear = await rehearsal.explain({ ...request('/', token), url: 'http://api.example.com/' });
    assert.deepEqual([clear.outcome.code, clear.steps], ['HTTPS_REQUIRED', [{ step: 'https', verdict: 'refused', detail: clear.steps[0].detail, policyPath: 'https' }]]);
    await rehearsal.revocations.add({ token });
    assert.equal((await rehearsal.explain(request('/', token))).outcome.code, 'TOKEN_REVOKED');
  });

  test('has a key ring of its own, and may have no issuer', async () => {
    const { sessions, revocation } = example;
    const rehearsal = await createRehearsal({ sessions: { ...sessions, keys: 'RING' }, revocation, routes: [{ path: '/*' }] });
    const { accessToken } = await rehearsal.sessions.open({ subject: 'alice', scopes: [] });
    assert.equal(codeOf(await rehearsal.explain(request('/', accessToken))), 200);
  });

  test('admits nobody: it has no check', async () => {
    const rehearsal = await createRehearsal(example);
    assert.deepEqual([rehearsal.check, rehearsal.handle], [undefined, undefined]);
  });

  test('beside another policy the same credentials count', async () => {
    const rehearsal = await createRehearsal(example);
    const stricter = { ...example, issuers: example.issuers.map((issuer) => ({ ...issuer, secret: 'RENAMED' })), routes: [{ path: '/*', scopes: { all: ['everything'] } }] };
    const other = await rehearsal.beside(stricter);
    const token = await rehearsal.token({ scopes: ['read:posts'] });
    const { key } = await rehearsal.keys.mint({ name: 'n', owner: 'o', scopes: ['read:posts'] });
    for (const one of [request('/v1/posts', token), request('/v1/posts', undefined, { headers: { 'X-API-Key': key } })]) {
      assert.deepEqual([codeOf(await rehearsal.explain(one)), codeOf(await other.explain(one))], [200, 'INSUFFICIENT_SCOPE']);
    }
  });

  test('says what is wrong with a policy, an option or a token', async () => {
    const fault = (promise) => promise.then(() => assert.fail('taken'), ({ code, message }) => `${code} ${message}`);
    assert.match(await fault(createRehearsal({ ...example, isuers: [] })), /^CONFIG_ERROR .*isuers/);
    assert.match(await fault(createRehearsal({ issuers: 7 })), /^CONFIG_ERROR .*issuers/);
    assert.match(await fault(createRehearsal(example, { standIn: true })), /^CONFIG_ERROR .*standIn/);
    assert.match(await fault(createRehearsal(example, { keys: 'mine' })), /^CONFIG_ERROR .*keys/);
    const rehearsal = await createRehearsal(example);
    assert.match(await fault(rehearsal.token({ issuer: 'https://nobody.example/' })), /^CONFIG_ERROR .*issuer/);
    assert.match(await fault(rehearsal.token({ subject: 'alice' })), /^CONFIG_ERROR .*subject/);
    assert.match(await fault((await createRehearsal(example, { keys: 'own' })).token()), /^CONFIG_ERROR .*keys/);
  });

  test('is there for require too', async () => {
    const { createRehearsal: required } = createRequire(import.meta.url)('../../pkg/wasm/testing.cjs');
    assert.equal(codeOf(await (await required(example)).explain(request('/v1/posts'))), 'MISSING_CREDENTIALS');
  });
});

test('$schema at the top of a policy is for editors', async () => {
  const rehearsal = await createRehearsal({ $schema: './node_modules/edgegate/schema/policy.schema.json', ...example });
  assert.equal(codeOf(await rehearsal.explain(request('/public/a'))), 200);
  await assert.rejects(createRehearsal({ $schema: 7, ...example }), { code: 'CONFIG_ERROR', message: /\$schema.*expected a string/ });
  await assert.rejects(createRehearsal({ ...example, routes: [{ $schema: 'x', path: '/' }] }), { code: 'CONFIG_ERROR', message: /routes\[0\].*is not a known field/ });
});
