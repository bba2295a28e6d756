// edgegate/gate in a user's own Worker: the engine as a module, KV for revocation and keys, WebCrypto for signatures.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { Miniflare } from '../miniflare.mjs';
import { nowSecs, signAsymmetric } from '../worker/token.mjs';
import { ISSUER, SECRETS, apiKey, keyIdOf, policy, record } from './gate.mjs';

const pkg = fileURLToPath(new URL('../../pkg/', import.meta.url));
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const SOURCE = `
  import { createApiKeys, createGate, kvStore, memoryStore } from './gate/workerd.js';
  import * as main from './workerd.js';
  let gate;
  let cold;
  let verifier;
  let fault;
  try { main.createGate({}); } catch (error) { fault = { code: error.code, message: error.message }; }
  export default {
    async fetch(request, env, context) {
      const { pathname } = new URL(request.url);
      if (pathname === '/fault') return Response.json(fault);
      if (pathname === '/verifier') {
        verifier ??= main.createVerifier({ issuer: env.ISSUER, algorithms: ['RS256'], jwksUri: env.SILENT });
        return verifier.verify(request.headers.get('authorization').slice(7)).then(() => Response.json({}), ({ code }) => Response.json({ code }));
      }
      if (pathname === '/gate') {
        cold ??= createGate(env.COLD, { secrets: env });
        const decision = await cold.check(request);
        return decision.ok ? Response.json({}) : decision.response();
      }
      gate ??= createGate(env.POLICY, {
        secrets: env,
        stores: { revocation: kvStore(env.KV), keys: kvStore(env.KV), counters: memoryStore() },
        log: (event) => console.log(JSON.stringify(event)),
      });
      const decision = await gate.check(request, { waitUntil: (promise) => context.waitUntil(promise) });
      return decision.ok ? Response.json({ ...decision, own: typeof createApiKeys }) : decision.response();
    },
  };`;

let worker;
let kv;
/** An issuer that is silent for a while, and how often it was asked. */
let issuer;
let asked = 0;
before(async () => {
  issuer = http.createServer((_, response) => {
    asked += 1;
    setTimeout(() => response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] })), silence);
  }).listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  const silent = `http://127.0.0.1:${issuer.address().port}/jwks`;
  const { outputFiles: [bundle] } = await build({
    stdin: { contents: SOURCE, resolveDir: pkg }, bundle: true, format: 'esm', write: false,
    plugins: [{ name: 'wasm', setup: ({ onResolve }) => onResolve({ filter: /\.wasm$/ }, ({ path: name }) => ({ path: `./${path.basename(name)}`, external: true })) }],
  });
  const wasm = (name) => ({ type: 'CompiledWasm', path: path.join(pkg, 'wasm', name) });
  const modules = [
    { type: 'ESModule', path: path.join(pkg, 'wasm/main.mjs'), contents: bundle.text }, wasm('edgegate_fast_bg.wasm'), wasm('edgegate_gate_bg.wasm'),
  ];
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256' }] };
  const issuers = [{ issuer: ISSUER, audience: ['https://api.example.com'], algorithms: ['RS256'], jwks }];
  worker = new Miniflare({
    // What it logs.
    handleStructuredLogs: () => {},
    modules, modulesRoot: path.join(pkg, 'wasm'), compatibilityDate: '2026-04-01', cf: false, kvNamespaces: ['KV'],
    bindings: {
      POLICY: policy({ issuers, admin: undefined }), ISSUER, SILENT: silent, ...SECRETS,
      COLD: {
        issuers: [{ issuer: ISSUER, audience: ['https://api.example.com'], algorithms: ['RS256'], jwks_uri: silent }],
        failed_authentication: { enabled: false },
      },
    },
  });
  kv = await worker.getKVNamespace('KV');
});
let silence = 60_000;
after(() => worker?.dispose());
after(() => {
  issuer.closeAllConnections();
  issuer.close();
});

const ask = async (target, headers = {}) => {
  const response = await worker.dispatchFetch(`https://gate.test${target}`, { headers: { 'CF-Connecting-IP': '192.0.2.7', ...headers } });
  return { status: response.status, body: await response.json() };
};
const signed = (claims) => signAsymmetric(
  { iss: ISSUER, aud: 'https://api.example.com', sub: 'alice', exp: nowSecs() + 600, scope: 'read:posts', ...claims },
  { key: privateKey, alg: 'RS256', header: { kid: 'k' } },
);

test('many checks at once, each with its own verdict of WebCrypto', async () => {
  const tokens = Array.from({ length: 30 }, (_, index) => signed({ sub: `user-${index}` }));
  const forged = tokens.map((token, index) => {
    const other = tokens[(index + 1) % tokens.length];
    return token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'));
  });
  const answers = await Promise.all([...tokens, ...forged].map((token) => ask('/v1/posts', { authorization: `Bearer ${token}` })));
  const good = answers.slice(0, 30);
  assert.deepEqual(good.map(({ body }) => body.identity?.subject), tokens.map((_, index) => `user-${index}`));
  assert.equal(good[0].body.identity.keyId, 'k');
  assert.equal(good[0].body.own, 'function');
  // An address may fail five times in a quarter of an hour.
  const codes = answers.slice(30).map(({ body }) => body.code);
  assert.deepEqual([codes.filter((code) => code === 'INVALID_TOKEN').length, codes.filter((code) => code === 'RATE_LIMITED').length], [5, 25]);
});

test('exactly the limit of many at once, though no request waits for another', async () => {
  const authorization = `Bearer ${signed({ sub: 'limited' })}`;
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/v1/limited', { authorization })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(5).fill(200), ...Array(35).fill(429)]);
});

test('records in KV, whose use is noted after the answer', async () => {
  const key = apiKey();
  const id = keyIdOf(key);
  await kv.put(`key/v1/${id}`, record(id, { created_at: nowSecs() }));
  const { status, body } = await ask('/v1/posts', { 'x-api-key': key });
  assert.deepEqual([status, body.identity.keyId], [200, id]);
  let noted = null;
  for (let round = 0; noted === null && round < 100; round += 1) noted = await kv.get(`used/v1/${id}`);
  assert.match(noted, /^\d{10}$/);
});

test('the entry without the guard says where createGate is', async () => {
  assert.deepEqual((await ask('/fault')).body, {
    code: 'CONFIG_ERROR', message: "here createGate comes from 'edgegate/gate', which brings the engine with the guard",
  });
});

for (const target of ['/verifier', '/gate']) {
  test(`tokens that anybody can make fetch keys few times: ${target}`, async () => {
    silence = 60_000;
    asked = 0;
    const forged = () => {
      const [header, claims] = signed({ sub: Math.random().toString() }).split('.');
      return `Bearer ${header}.${claims}.${Buffer.alloc(256, 1).toString('base64url')}`;
    };
    let since;
    const one = async () => {
      const answer = await ask(target, { authorization: forged() });
      since ??= Date.now();
      return answer;
    };
    const flood = () => Promise.all(Array.from({ length: 200 }, one));
    assert.deepEqual(new Set((await flood()).map(({ body }) => body.code)), new Set(['KEYS_UNAVAILABLE']));
    assert.ok(asked <= 3, `${asked} fetches`);
    // A failure is remembered for two seconds. On a slow machine a flood can take longer than that.
    const before = asked;
    await flood();
    const turns = Math.floor((Date.now() - since) / 2_000);
    assert.ok(asked <= before + 3 * turns, `${asked - before} more fetches in ${turns} times two seconds: a failure is remembered from when it happened`);
    // Once there is an answer, a few fetches serve a crowd.
    silence = 300;
    asked = 0;
    await new Promise((resolve) => { setTimeout(resolve, 2_100); });
    const good = await Promise.all(Array.from({ length: 50 }, () => ask(target, { authorization: `Bearer ${signed()}` })));
    assert.deepEqual(new Set(good.map(({ body }) => body.code)), new Set([undefined]));
    assert.ok(asked <= 3, `${asked} fetches`);
  });
}
