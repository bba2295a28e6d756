// `redisStore` over the REST interface of Upstash, before a real Redis. Bun's own client is in the packaging matrix.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { storeContract } from '../../pkg/store-contract.js';
import { redisStore } from '../../pkg/wasm/node.js';
import { CLIENTS, startRedis } from './redis-server.mjs';

const TOKEN = 'a-token-of-the-test';

let redis;
let client;
let close;
let rest;
before(async () => {
  redis = await startRedis();
  ({ client, close } = await CLIENTS.ioredis(redis.port));
  rest = http.createServer(serve);
  await new Promise((resolve) => { rest.listen(0, '127.0.0.1', resolve); });
});
after(async () => {
  rest?.close();
  rest?.closeAllConnections();
  await close?.();
  await redis?.stop();
});

/** As Upstash answers: `{"result": …}`, or `{"error": …}` with 400, or with 401 for another token. */
async function serve(request, response) {
  const answer = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, { error: 'WRONGPASS invalid or missing auth token' });
  if (request.url === '/elsewhere') return response.writeHead(307, { location: '/' }).end();
  if (request.url === '/page') return response.writeHead(200).end('<html>');
  try {
    return answer(200, { result: await client.call(...JSON.parse(Buffer.concat(await request.toArray()).toString())) });
  } catch ({ message }) {
    return answer(400, { error: message });
  }
}

const at = (path, token = TOKEN) => ({ url: `http://127.0.0.1:${rest.address().port}${path}`, token });

describe('by the REST interface of Upstash', () => {
  let prefixes = 0;
  for (const { name, run } of storeContract(() => redisStore(at('/'), { prefix: `rest-${prefixes += 1}:` }))) test(name, run);

  test('a refusal of the server is an error, and no answer is taken for an empty store', async () => {
    const refused = (given, options = { evictionAllowed: true }) => redisStore(given, options).get(['a']).then(() => assert.fail('answered'), ({ message }) => message);
    assert.match(await refused(at('/', 'another')), /^WRONGPASS /);
    // Not even to its own place is it sent on: who sends on might send the token elsewhere.
    for (const path of ['/elsewhere', '/page']) assert.ok(await refused(at(path)));
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      assert.match(await refused(at('/'), {}), /maxmemory-policy: expected noeviction, found allkeys-lru/);
    } finally {
      await client.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    }
  });

  test('the token goes by https only, but on loopback', () => {
    for (const url of ['http://example.com', 'ftp://127.0.0.1', 'redis://x', '', 'http://127.0.0.1.example.com']) {
      assert.throws(() => redisStore({ url, token: 'x' }), { code: 'CONFIG_ERROR', path: 'client.url' }, url);
    }
    redisStore({ url: 'https://eu1-x.upstash.io', token: 'x' });
  });

  test('a token that breaks a header, and a password in the URL, are refused, and no message quotes them', () => {
    const secret = 'a-secret-of-the-test';
    const url = 'https://eu1-x.upstash.io';
    for (const [given, path] of [
      ...['\n', '\r\n', '\0', ' ', 'é', '\x7f'].map((bad) => [{ url, token: `${secret}${bad}` }, 'client.token']),
      [{ url, token: '' }, 'client.token'],
      [{ url: `https://default:${secret}@eu1-x.upstash.io`, token: 'x' }, 'client.url'],
      [{ url: `https://${secret}@eu1-x.upstash.io`, token: 'x' }, 'client.url'],
      [{ url: `ftp://:${secret}@eu1-x.upstash.io`, token: 'x' }, 'client.url'],
    ]) {
      assert.throws(() => redisStore(given), (error) => {
        assert.deepEqual([error.code, error.path], ['CONFIG_ERROR', path], JSON.stringify(given));
        assert.ok(!`${error.stack} ${JSON.stringify(error)}`.includes(secret), error.message);
        return true;
      });
    }
  });

  test('no host answers in the place of the server, and a server that does not answer is not waited for for ever', async (t) => {
    const asked = t.mock.method(globalThis, 'fetch', async () => Response.json({ result: null }));
    const store = redisStore({ url: 'https://eu1-x.upstash.io', token: 'x' }, { evictionAllowed: true });
    await store.get(['a']);
    const [, { cache, signal, redirect }] = asked.mock.calls.at(-1).arguments;
    assert.deepEqual([cache, redirect, signal instanceof AbortSignal, signal.aborted], ['no-store', 'manual', true, false]);
  });
});
