// Calls the middleware of docs/frameworks.md as their frameworks do.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { nowSecs, signHmac } from '../worker/token.mjs';

export async function drive(load, { JWT_SECRET }) {
  process.env.JWT_SECRET = JWT_SECRET;
  const claims = { iss: 'https://login.example.com/', aud: 'https://api.example.com', sub: 'alice', scope: 'read:posts', exp: nowSecs() + 60 };
  const good = { authorization: `Bearer ${signHmac(claims, { secret: JWT_SECRET })}` };
  const request = (headers) => new Request('https://api.example.com/v1/posts', { headers });

  const { handle } = await load('sveltekit.mjs');
  await both('SvelteKit', (asked, seen) => handle({ event: { request: asked, url: new URL(asked.url), locals: seen }, resolve: () => new Response('ok') }));
  const { onRequest } = await load('astro.mjs');
  await both('Astro', (asked, seen) => onRequest({ request: asked, locals: seen }, async () => new Response('ok')));
  const { admitInto } = await load('react-router.mjs');
  await both('React Router', (asked, seen) => admitInto('key')({ request: asked, context: { set: (_, auth) => { seen.auth = auth; } } }, async () => new Response('ok')));
  const { GET } = await load('next.mjs');
  assert.equal((await GET(request(good))).status, 200);
  assert.equal((await GET(request({}))).status, 401);

  const { admit } = await load('nuxt.mjs');
  const event = { context: {} };
  assert.equal(await admit(() => request(good))(event), undefined);
  assert.equal(event.context.auth.subject, 'alice');
  assert.equal((await admit(() => request({}))(event)).status, 401);

  const { createContext } = await load('trpc.mjs');
  assert.equal((await createContext({ req: request(good) })).auth.subject, 'alice');
  assert.deepEqual(await createContext({ req: request({}) }), { refusal: { status: 401, code: 'MISSING_CREDENTIALS' } });

  const { app } = await load('koa.mjs');
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (const [headers, status] of [[good, 200], [{}, 401]]) {
    assert.equal((await fetch(`http://127.0.0.1:${server.address().port}/v1/posts`, { headers })).status, status);
  }
  server.close();
  server.closeAllConnections();

  async function both(name, ask) {
    const seen = {};
    assert.equal((await ask(request(good), seen)).status, 200, name);
    assert.equal(seen.auth.subject, 'alice', name);
    assert.equal((await ask(request({}), {})).status, 401, name);
  }
}
