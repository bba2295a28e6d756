// Calls the handlers of docs/hosts.md as their hosts do.

import assert from 'node:assert/strict';

import { nowSecs, signHmac } from '../worker/token.mjs';

export async function drive(load, { JWT_SECRET }) {
  process.env.JWT_SECRET = JWT_SECRET;
  const claims = { iss: 'https://login.example.com/', aud: 'https://api.example.com', sub: 'alice', scope: 'read:posts', exp: nowSecs() + 60 };
  const good = { authorization: `Bearer ${signHmac(claims, { secret: JWT_SECRET })}` };
  const request = (headers) => new Request('https://api.example.com/v1/posts', { headers });

  const { default: worker } = await load('worker.mjs');
  assert.equal((await worker.fetch(request(good), { JWT_SECRET }, {})).status, 200);
  assert.equal((await worker.fetch(request({}), { JWT_SECRET }, {})).status, 401);

  const { GET } = await load('vercel.mjs');
  assert.equal((await GET(request(good))).status, 200);
  assert.equal((await GET(request({}))).status, 401);

  const { handler } = await load('lambda.mjs');
  const event = (headers) => ({
    rawPath: '/v1/posts', rawQueryString: 'a=1', headers, requestContext: { domainName: 'x.lambda-url.eu.on.aws', http: { method: 'GET', sourceIp: '203.0.113.7' } },
  });
  assert.deepEqual(JSON.parse((await handler(event(good))).body), { hello: 'alice' });
  assert.equal((await handler(event({}))).statusCode, 401);
}
