// `edgegate/lambda`, asked as API Gateway, function URLs and load balancers ask. The events are those of AWS's documentation; a server makes them
// of real requests.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { describe, test } from 'node:test';

import { guard } from '../../../pkg/wasm/lambda.js';
import { behaves, newGate, refusesMisuse, token } from './behaviour.mjs';

const digest = (body) => createHash('sha256').update(body).digest('hex');
const json = (value) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
const bytesOf = ({ body, isBase64Encoded }) => Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');

async function handler(event, auth) {
  const method = event.httpMethod ?? event.requestContext.http.method;
  switch (`${method} ${decodeURI(event.path ?? event.rawPath).toLowerCase().replace(/\/$/, '')}`) {
    case 'GET /v1/whoami':
    case 'GET /public/whoami': return json(auth);
    case 'GET /v1/admin/secret': return { statusCode: 200, body: 'secret' };
    case 'POST /v1/echo': return { statusCode: 200, body: digest(bytesOf(event)) };
    default: return { statusCode: 404, body: '' };
  }
}

/** Names and values as they came, and by their lower-case names. */
function headersOf({ rawHeaders }) {
  const pairs = [];
  for (let at = 0; at < rawHeaders.length; at += 2) pairs.push([rawHeaders[at], rawHeaders[at + 1]]);
  const lists = {};
  for (const [name, value] of pairs) (lists[name.toLowerCase()] ??= []).push(value);
  return { pairs, lists, singles: Object.fromEntries(Object.entries(lists).map(([name, values]) => [name, values.at(-1)])) };
}

/** The path of a target. The platforms know no other form. */
const pathOf = (target) => target.replace(/^http:\/\/[^/]*/, '').split('?', 1)[0];

const FORMS = {
  'payload 2.0 of an HTTP API, or a function URL': ({ method, url, socket }, { lists }, body) => {
    const { cookie, ...rest } = lists;
    return {
      version: '2.0', routeKey: '$default', rawPath: pathOf(url), rawQueryString: url.split('?')[1] ?? '',
      ...(cookie && { cookies: cookie }), headers: Object.fromEntries(Object.entries(rest).map(([name, values]) => [name, values.join(',')])),
      requestContext: { http: { method, path: pathOf(url), sourceIp: socket.remoteAddress, protocol: 'HTTP/1.1' }, stage: '$default' }, ...body,
    };
  },
  'an event of a REST API': ({ method, url, socket }, { pairs, lists, singles }, body) => ({
    resource: '/{proxy+}', path: pathOf(url), httpMethod: method, headers: singles,
    multiValueHeaders: Object.fromEntries(pairs.map(([name]) => [name, lists[name.toLowerCase()]])),
    requestContext: { identity: { sourceIp: socket.remoteAddress }, stage: 'prod', path: `/prod${pathOf(url)}` }, ...body,
  }),
  'an event of a load balancer, with multi-value headers': ({ method, url, socket }, { lists }, body) => ({
    requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:x' } }, httpMethod: method, path: pathOf(url),
    multiValueHeaders: { ...lists, 'x-forwarded-for': [[...(lists['x-forwarded-for'] ?? []), socket.remoteAddress].join(', ')] }, ...body,
  }),
};

/** What the platform makes of a result. */
function send(result, response) {
  const { statusCode, headers = {}, multiValueHeaders = {}, cookies = [], body = '' } = result;
  response.statusCode = statusCode;
  for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders })) response.setHeader(name, value);
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  response.end(body);
}

async function serve(eventOf, guarded) {
  const server = http.createServer(async (request, response) => {
    try {
      const body = Buffer.concat(await request.toArray());
      const event = eventOf(request, headersOf(request), body.length > 0 ? { body: body.toString('base64'), isBase64Encoded: true } : { body: null, isBase64Encoded: false });
      send(await guarded(event, { awsRequestId: 'x' }), response);
    } catch {
      // As the platform answers for a function that fails.
      response.writeHead(500).end();
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    port: server.address().port,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

for (const [name, eventOf] of Object.entries(FORMS)) {
  describe(`Lambda, asked by ${name}`, () => {
    behaves(({ gate, clientIp, origin }) => {
      const address = clientIp && ((event) => (event.multiValueHeaders ?? event.headers)[Object.keys(event.multiValueHeaders ?? event.headers)
        .find((one) => one.toLowerCase() === clientIp)]?.toString());
      return serve(eventOf, guard(gate, handler, { clientIp: address, origin }));
    });
  });
}

const event = (changes = {}) => ({
  version: '2.0', rawPath: '/v1/x', rawQueryString: '', headers: { authorization: `Bearer ${token()}` },
  requestContext: { http: { method: 'GET', path: '/v1/x', sourceIp: '192.0.2.1' } }, isBase64Encoded: false, ...changes,
});

test('a result without status is the body of a good answer, by the rule of payload 2.0', async () => {
  for (const [given, body] of [[{ a: 1 }, '{"a":1}'], ['text', 'text']]) {
    const result = await guard(newGate(), async () => given)(event());
    assert.deepEqual([result.statusCode, result.headers['content-type'], result.headers['Cache-Control'], result.body], [200, 'application/json', 'private', body]);
  }
  assert.equal(await guard(newGate(), async () => undefined)(event()), undefined);
});

test('cookies of the handler stay several, in the form of each event', async () => {
  const gate = newGate();
  const cookies = ['a=1; Path=/', 'b=2; Path=/'];
  const { cookies: kept, headers } = await guard(gate, async () => ({ statusCode: 200, cookies, body: '' }))(event());
  assert.deepEqual([kept, headers], [cookies, { 'Cache-Control': 'private' }]);
  const rest = { httpMethod: 'GET', path: '/v1/x', requestContext: {}, headers: event().headers };
  const multi = { ...rest, multiValueHeaders: { authorization: [event().headers.authorization] } };
  const handle = async () => ({ statusCode: 200, multiValueHeaders: { 'Set-Cookie': cookies }, body: '' });
  assert.deepEqual((await guard(gate, handle)(multi)).multiValueHeaders, { 'Set-Cookie': cookies, 'Cache-Control': ['private'] });
  await assert.rejects(guard(gate, handle)(rest), /several cookies in one answer/);
});

test('cookies of the gate\'s own sessions are not in the event of the handler', async () => {
  const admit = (requestCookie) => ({ check: async () => ({ ok: true, identity: {}, headers: {}, forward: {}, caching: {}, requestCookie }) });
  const seen = async (asked, cookie) => {
    let found;
    await guard(admit(cookie), async (given) => { found = given; return { statusCode: 200 }; })(asked);
    return [found.cookies, found.headers?.Cookie ?? found.headers?.cookie, found.multiValueHeaders?.cookie ?? found.multiValueHeaders?.Cookie];
  };
  const http2 = event({ cookies: ['__Host-edgegate-at=x', 'a=1', 'b=2'] });
  const rest = { httpMethod: 'GET', path: '/', requestContext: {}, headers: { Cookie: 'x=1; a=1' }, multiValueHeaders: { Cookie: ['x=1; a=1'] } };
  const both = event({ cookies: ['__Host-edgegate-at=x', 'a=1'], headers: { cookie: '__Host-edgegate-at=x; a=1' } });
  assert.deepEqual(await seen(both, 'a=1'), [['a=1'], 'a=1', undefined]);
  assert.deepEqual(await seen(both, ''), [undefined, undefined, undefined]);
  assert.deepEqual(await seen(event({ headers: { cookie: '__Host-edgegate-at=x; a=1' } }), 'a=1'), [undefined, 'a=1', undefined]);
  assert.deepEqual(await seen(http2, 'a=1; b=2'), [['a=1', 'b=2'], undefined, undefined]);
  assert.deepEqual(await seen(http2, ''), [undefined, undefined, undefined]);
  assert.deepEqual(await seen(rest, 'a=1'), [undefined, 'a=1', ['a=1']]);
  assert.deepEqual(await seen(rest, ''), [undefined, undefined, undefined]);
  assert.deepEqual(await seen(rest, undefined), [undefined, 'x=1; a=1', ['x=1; a=1']]);
});

test('the path is read as the handler gets it: what a URL made of it would lose is refused', async () => {
  const gate = newGate({ routes: [{ path: '/public', auth: 'none' }] });
  const statusOf = async (rawPath) => (await guard(gate, async () => ({ statusCode: 200 }))(event({ rawPath, headers: {} }))).statusCode;
  assert.equal(await statusOf('/public'), 200);
  for (const [path, status] of [['/public?x', 400], ['/public#x', 400], ['/public ', 400], ['/public/é', 401], ['/public/a b', 401], ['/public/../v1', 400], ['//public', 400], ['public', 400], ['/public\n', 400]]) {
    assert.equal(await statusOf(path), status, path);
  }
});

test('no path goes around a route by what the platform has decoded: a handler that makes a URL of it serves what was decided on', async () => {
  const gate = newGate({ routes: [{ path: '/admin', scopes: { all: ['admin'] } }, { path: '/*', auth: 'none' }] });
  const served = async ({ rawPath, path }) => ({ statusCode: 200, body: new URL(`https://app.test${rawPath ?? path}`).pathname });
  const eventsOf = (path) => [
    event({ rawPath: path, headers: {} }),
    { httpMethod: 'GET', path, requestContext: {}, headers: {} },
    { httpMethod: 'GET', path, requestContext: { elb: {} }, headers: {} },
  ];
  for (const origin of [undefined, 'https://app.test']) {
    const ask = async (path) => Promise.all(eventsOf(path).map(async (one) => (await guard(gate, served, { origin })(one)).statusCode));
    for (const path of ['/admin#x', '/admin?x', '/admin#', '/admin?', '/admin ', '/admin  ', '/admin/ ', '/admin/#', '/#/admin']) {
      assert.deepEqual(await ask(path), [400, 400, 400], path);
    }
    assert.deepEqual(await ask('/admin'), [401, 401, 401]);
    // Nothing was decoded here: these are other paths, and a URL keeps them.
    for (const path of ['/admin%23x', '/admin%3Fx', '/admin%20', '/a b']) assert.deepEqual(await ask(path), [200, 200, 200], path);
  }
});

test('behind a load balancer the address is the one that it has added itself', async () => {
  const gate = newGate({ routes: [{ path: '/*', auth: 'none', limits: ['address'] }] });
  const guarded = guard(gate, async () => ({ statusCode: 200 }));
  const ask = (forwarded) => guarded({
    requestContext: { elb: {} }, httpMethod: 'GET', path: '/x', headers: { 'x-forwarded-for': forwarded },
  });
  const statuses = [];
  for (const forwarded of ['203.0.113.1, 192.0.2.1', '203.0.113.2,192.0.2.1', '192.0.2.1, 192.0.2.2']) statuses.push((await ask(forwarded)).statusCode);
  assert.deepEqual(statuses, [200, 429, 200]);
});

test('an event of another kind is an error, and so is misuse', async () => {
  const guarded = guard(newGate(), handler);
  for (const other of [undefined, {}, { Records: [] }, { rawPath: '/x' }, { httpMethod: 'GET' }]) await assert.rejects(guarded(other), TypeError);
  refusesMisuse((gate, options) => guard(gate, handler, options));
  assert.throws(() => guard(newGate()), { name: 'TypeError', message: 'edgegate: handler: expected a function' });
});
