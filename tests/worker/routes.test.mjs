// Routes: who may call what; where credentials are looked for; paths that can be read in two ways.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { AUDIENCE, ISSUER, SECRETS, admitted, apiKey, gateWorker, policy, refused, start, token } from './harness.mjs';

const ROUTES = [
  { path: '/public/*', methods: ['GET'], auth: 'none' },
  { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
  { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
  { path: '/v1/posts/{id}', methods: ['GET'], auth: 'optional' },
  { path: '/v1/posts/{id}/comments', scopes: { any: ['read:comments', 'admin'] } },
  { path: '/v1/all-and-any', scopes: { all: ['a', 'b'], any: ['c', 'd'] } },
  { path: '/only/jwt', accept: ['jwt'] },
  { path: '/only/key', accept: ['api_key'] },
  { path: '/secret/*', scopes: { all: ['secret'] } },
  { path: '/orgs/{org}/*', claims: { org_id: '{org}' } },
  { path: '/internal', issuers: ['https://internal.example/'] },
  { path: '/open/maybe', auth: 'optional', scopes: { all: ['read:posts'] } },
];

const ISSUERS = [ISSUER, 'https://internal.example/'].map((issuer) => ({ issuer, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' }));

let gate;
let upstream;
const seen = [];

before(async () => {
  upstream = http.createServer(async (request, response) => {
    seen.push(request);
    request.text = '';
    for await (const chunk of request) request.text += chunk;
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.writeHead(request.method === 'OPTIONS' ? 204 : 200, { 'X-Seen': `${request.method} ${request.url}` });
    response.end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  gate = await start([
    gateWorker({ policy: policy({ routes: ROUTES, issuers: ISSUERS, cookie: 'session' }) }),
    gateWorker({ name: 'proxy', policy: policy({ routes: ROUTES, issuers: ISSUERS, upstream: `http://127.0.0.1:${upstream.address().port}` }) }),
    gateWorker({ name: 'tokens-only', policy: policy({ api_keys: undefined, routes: [] }) }),
    gateWorker({ name: 'keys-only', policy: policy({ issuers: [], routes: [] }) }),
    gateWorker({
      name: 'passing',
      policy: policy({
        routes: [
          { path: '/limited', limits: ['address'] }, { path: '/refused', preflight: 'refuse' }, { path: '/answered', auth: 'none', preflight: 'answer' },
        ],
        limits: [{ name: 'address', by: 'ip', requests: 2, window_secs: 3600, store: 'memory' }],
        preflight: 'pass', cookie: 'session', forward_credential: true, upstream: `http://127.0.0.1:${upstream.address().port}`,
      }),
    }),
    gateWorker({ name: 'elsewhere', policy: policy({ auth_prefix: '/_gate/v1' }) }),
  ]);
});
after(() => upstream.close());
after(() => gate.dispose());

const withScope = (scope) => ({ token: token({ scope }) });

describe('who is asked for a credential', () => {
  test('an open route asks nobody and looks at nothing', async () => {
    for (const path of ['/public', '/public/', '/public/a', '/public/a/b?c=d']) {
      assert.deepEqual(admitted(await gate.get(path)), {
        method: 'anonymous', subject: null, issuer: null, scopes: [], key_id: null,
      });
    }
    admitted(await gate.get('/public/a', { token: 'nonsense' }), { method: 'anonymous', subject: null });
    admitted(await gate.get('/public/a', { token: token(), key: apiKey() }), { method: 'anonymous', subject: null });
  });

  test('a route for some methods does not hold for others', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      refused(await gate.request(method, '/public/a'), 'MISSING_CREDENTIALS');
    }
  });

  test('a route for GET holds for HEAD', async () => {
    const answer = await gate.request('HEAD', '/public/a');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-auth-method'], 'anonymous');
    assert.equal((await gate.request('HEAD', '/v1/posts', withScope('read:posts'))).status, 200);
    assert.equal((await gate.request('HEAD', '/v1/posts', withScope('write:posts'))).status, 403);
  });

  test('where no route matches, any credential is asked for', async () => {
    for (const path of ['/', '/nowhere', '/publicity', '/v1', '/PUBLIC/a', '/v1/posts/1/comments/2']) {
      refused(await gate.get(path), 'MISSING_CREDENTIALS');
      admitted(await gate.get(path, { token: token() }));
    }
  });

  test('an optional route takes nobody and a good credential, but not a bad one', async () => {
    admitted(await gate.get('/v1/posts/7'), { method: 'anonymous' });
    admitted(await gate.get('/v1/posts/7', { token: token() }), { method: 'jwt', subject: 'alice' });
    refused(await gate.get('/v1/posts/7', { token: 'nonsense' }), 'INVALID_TOKEN');
    refused(await gate.get('/v1/posts/7', { token: token({ exp: 1 }) }), 'TOKEN_EXPIRED');
    refused(await gate.get('/v1/posts/7', { token: token(), key: apiKey() }), 'MULTIPLE_CREDENTIALS');
  });

  test('an optional route asks its scopes of those who say who they are', async () => {
    admitted(await gate.get('/open/maybe'), { method: 'anonymous' });
    refused(await gate.get('/open/maybe', { token: token() }), 'INSUFFICIENT_SCOPE', { scope: 'read:posts' });
    admitted(await gate.get('/open/maybe', withScope('read:posts')));
  });
});

describe('scopes', () => {
  test('all of them', async () => {
    admitted(await gate.get('/v1/posts', withScope('read:posts')));
    admitted(await gate.get('/v1/posts', withScope('x read:posts y')));
    admitted(await gate.post('/v1/posts', withScope('write:posts')));
    for (const scope of [undefined, '', 'read', 'READ:POSTS', 'read:postss', 'read:posts,write:posts', 'write:posts']) {
      refused(await gate.get('/v1/posts', withScope(scope)), 'INSUFFICIENT_SCOPE', { scope: 'read:posts', hint: /read:posts/ });
    }
    refused(await gate.post('/v1/posts', withScope('read:posts')), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
  });

  test('any of them', async () => {
    admitted(await gate.get('/v1/posts/7/comments', withScope('read:comments')));
    admitted(await gate.get('/v1/posts/7/comments', withScope('admin')));
    refused(await gate.get('/v1/posts/7/comments', withScope('read:posts')), 'INSUFFICIENT_SCOPE', { scope: 'read:comments admin' });
  });

  test('all of some and any of others', async () => {
    admitted(await gate.get('/v1/all-and-any', withScope('a b c')));
    admitted(await gate.get('/v1/all-and-any', withScope('d b a')));
    for (const scope of ['a b', 'a c', 'c d', 'b d']) {
      refused(await gate.get('/v1/all-and-any', withScope(scope)), 'INSUFFICIENT_SCOPE', { scope: 'a b c d' });
    }
  });

  test('of an API key are those of its record, cut down to those of its prefix', async () => {
    const wide = await gate.mint({ scopes: ['read:posts', 'write:posts'] });
    admitted(await gate.post('/v1/posts', { key: wide.key }), { scopes: ['read:posts', 'write:posts'] });
    const narrow = await gate.mint({ prefix: 'pk', scopes: ['read:posts', 'write:posts'] });
    admitted(await gate.get('/v1/posts', { key: narrow.key }), { scopes: ['read:posts'] });
    refused(await gate.post('/v1/posts', { key: narrow.key }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
  });
});

describe('kinds of credential', () => {
  test('a route may take one kind only', async () => {
    const { key } = await gate.mint();
    admitted(await gate.get('/only/jwt', { token: token() }));
    refused(await gate.get('/only/jwt', { key }), 'INVALID_API_KEY');
    admitted(await gate.get('/only/key', { key }));
    refused(await gate.get('/only/key', { token: token() }), 'INVALID_TOKEN');
  });

  test('a gate without API keys, or without issuers, takes none', async () => {
    admitted(await gate.get('/', { gate: 'tokens-only', token: token() }));
    refused(await gate.get('/', { gate: 'tokens-only', key: apiKey() }), 'INVALID_API_KEY');
    refused(await gate.get('/', { gate: 'tokens-only', token: apiKey() }), 'INVALID_TOKEN');
    refused(await gate.get('/', { gate: 'keys-only', token: token() }), 'INVALID_TOKEN');
  });
});

describe('where credentials are looked for', () => {
  test('a key as bearer, in X-API-Key, as user of Basic, and in the cookie', async () => {
    const { key, id } = await gate.mint({ owner: 'bob', scopes: ['read:posts'] });
    const expected = { method: 'api_key', subject: 'bob', issuer: null, scopes: ['read:posts'], key_id: id };
    for (const options of [{ token: key }, { key }, { basic: key }, { headers: { Cookie: `a=b; session=${key}` } }]) {
      const answer = await gate.get('/v1/posts', options);
      assert.deepEqual(admitted(answer), expected);
      assert.equal(answer.headers['x-auth-subject'], 'bob');
      assert.equal(answer.headers['x-auth-scopes'], 'read:posts');
      assert.equal(answer.headers['x-auth-key-id'], id);
      assert.equal(answer.headers['x-auth-issuer'], undefined);
    }
  });

  test('a token as bearer, in any case of the scheme, and in the cookie', async () => {
    const bearer = token();
    for (const headers of [
      { Authorization: `Bearer ${bearer}` }, { Authorization: `bearer ${bearer}` }, { Authorization: `BEARER  ${bearer}` },
      { Cookie: `session=${bearer}` }, { Cookie: `session="${bearer}"; other=1` },
    ]) {
      admitted(await gate.get('/nowhere', { headers }), { method: 'jwt', subject: 'alice', issuer: ISSUER });
    }
  });

  test('a token is no API key, wherever a key is expected', async () => {
    refused(await gate.get('/nowhere', { key: token() }), 'INVALID_API_KEY');
    refused(await gate.get('/nowhere', { basic: token() }), 'INVALID_API_KEY', { scheme: 'basic' });
  });

  test('what is not a credential is none', async () => {
    for (const value of ['Bearer', 'Bearer ', 'Basic', 'Digest username="x"', token(), 'Token abc', ',', 'Negotiate YII=']) {
      refused(await gate.get('/nowhere', { headers: { Authorization: value } }), 'MISSING_CREDENTIALS');
    }
    refused(await gate.get('/nowhere', { headers: { 'X-API-Key': '' } }), 'MISSING_CREDENTIALS');
    refused(await gate.get('/nowhere', { headers: { 'X-API-Key': '  ' } }), 'MISSING_CREDENTIALS');
    for (const cookie of ['session=', 'Session=abc', 'sessions=abc', 'session', 'other=session=abc', ';;;']) {
      refused(await gate.get('/nowhere', { headers: { Cookie: cookie } }), 'MISSING_CREDENTIALS');
    }
    for (const query of ['?access_token=', '?token=', '?api_key=']) {
      refused(await gate.get(`/nowhere${query}${token()}`), 'MISSING_CREDENTIALS');
    }
  });

  test('Basic is a key with an empty password or nothing', async () => {
    const { key } = await gate.mint();
    const basic = (text) => ({ headers: { Authorization: `Basic ${Buffer.from(text).toString('base64')}` } });
    admitted(await gate.get('/nowhere', basic(`${key}:`)));
    for (const text of [`${key}:password`, key, `user:${key}`, ':', `:${key}`, `${key}::`]) {
      refused(await gate.get('/nowhere', basic(text)), 'INVALID_API_KEY');
    }
    for (const value of ['%%%', '====', 'a b', Buffer.from([0xff, 0xfe, 0x3a]).toString('base64')]) {
      refused(await gate.get('/nowhere', { headers: { Authorization: `Basic ${value}` } }), 'INVALID_API_KEY');
    }
  });

  test('two at once are refused, even the same twice, wherever they are', async () => {
    const { key } = await gate.mint();
    const bearer = token();
    const twice = [
      { token: bearer, key },
      { token: key, key },
      { basic: key, key },
      { token: bearer, headers: { Cookie: `session=${bearer}` } },
      { key, headers: { Cookie: `session=${bearer}` } },
      { headers: { Cookie: `session=${bearer}; session=${bearer}` } },
      { headers: { Cookie: `session=${bearer}; Session=${bearer}` } },
      { headers: { Authorization: `Bearer ${bearer}, Bearer ${bearer}` } },
      { headers: { Authorization: `Bearer ${bearer}, Basic ${Buffer.from(`${key}:`).toString('base64')}` } },
      { headers: [['Authorization', `Bearer ${bearer}`], ['Authorization', `Bearer ${bearer}`]] },
      { headers: [['X-API-Key', key], ['X-API-Key', key]] },
      { token: 'nonsense', key: 'nonsense' },
    ];
    for (const options of twice) refused(await gate.get('/nowhere', options), 'MULTIPLE_CREDENTIALS');
  });

  test('two Authorization headers of which one is no credential are never taken for one', async () => {
    const lines = (second) => gate.send([
      'GET /nowhere HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: Bearer ${token()}`, second, '', '',
    ].join('\r\n'));
    for (const second of ['Authorization: Bearer nonsense', 'Authorization: Basic eDo=', 'authorization: bearer x']) {
      const answer = await lines(second);
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.match(answer, /"MULTIPLE_CREDENTIALS"/);
    }
    const unknown = await lines('Authorization: Digest x');
    assert.match(unknown, /^HTTP\/1\.1 4\d\d /);
  });
});

describe('CORS', () => {
  const preflight = { Origin: 'https://app.test', 'Access-Control-Request-Method': 'POST' };

  test('a preflight is answered by the gate, whatever stands behind it', async () => {
    for (const name of ['gate', 'proxy']) {
      for (const path of ['/v1/posts', '/public/a', '/secret/x', '/nowhere']) {
        const count = seen.length;
        const answer = await gate.request('OPTIONS', path, { headers: preflight, gate: name, token: 'nonsense', body: 'x'.repeat(1000) });
        assert.equal(answer.status, 204);
        assert.equal(answer.text, '');
        assert.equal(answer.headers['cache-control'], 'no-store');
        assert.deepEqual(Object.keys(answer.headers).filter((header) => header.startsWith('access-control')), []);
        assert.equal(seen.length, count, 'the upstream was asked');
      }
    }
    refused(await gate.request('OPTIONS', '/public//a', { headers: preflight, gate: 'proxy' }), 'INVALID_REQUEST');
  });

  test('a preflight passes where the policy says so, without body and credential, by the limits by address', async () => {
    const ip = '192.0.2.77';
    const ask = (path, more) => gate.request('OPTIONS', path, { headers: preflight, gate: 'passing', ip, ...more });
    const credentials = [
      ['Origin', preflight.Origin], ['Access-Control-Request-Method', 'POST'], ['Access-Control-Request-Headers', 'x-a'],
      ['Authorization', 'Bearer forged'], ['X-API-Key', 'sk_x'], ['DPoP', 'x'], ['Cookie', 'a=1; session=x'],
    ];
    const answer = await ask('/limited?a=b', { headers: credentials, body: 'x'.repeat(1000) });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.equal(answer.headers['x-seen'], 'OPTIONS /limited?a=b');
    assert.match(answer.headers.ratelimit, /^"address";r=1;/);
    const { headers, text } = seen.at(-1);
    assert.equal(text, '');
    assert.ok([undefined, '0'].includes(headers['content-length']));
    assert.equal(headers['transfer-encoding'], undefined);
    assert.deepEqual([headers.authorization, headers['x-api-key'], headers.dpop, headers.cookie], [undefined, undefined, undefined, 'a=1']);
    assert.deepEqual([headers.origin, headers['access-control-request-headers'], headers['x-auth-method']], [preflight.Origin, 'x-a', 'anonymous']);
    assert.equal((await ask('/limited')).status, 204);
    const count = seen.length;
    refused(await ask('/limited'), 'RATE_LIMITED');
    refused(await ask('/refused'), 'NOT_ALLOWED');
    assert.equal((await ask('/answered')).status, 204);
    assert.equal(seen.length, count, 'the upstream was asked');
    assert.equal((await ask('/elsewhere')).status, 204);
    assert.equal(seen.length, count + 1);
  });

  test('what only looks like a preflight does not', async () => {
    refused(await gate.request('OPTIONS', '/v1/posts'), 'MISSING_CREDENTIALS');
    refused(await gate.request('OPTIONS', '/v1/posts', { headers: { Origin: 'https://app.test' } }), 'MISSING_CREDENTIALS');
    refused(await gate.request('OPTIONS', '/v1/posts', { headers: { 'Access-Control-Request-Method': 'POST' } }), 'MISSING_CREDENTIALS');
    for (const method of ['GET', 'POST', 'DELETE']) {
      refused(await gate.request(method, '/v1/posts', { headers: preflight, gate: 'proxy' }), 'MISSING_CREDENTIALS');
    }
  });

  test('a method-override header changes nothing', async () => {
    const headers = { 'X-HTTP-Method-Override': 'GET', 'X-Method-Override': 'GET', 'X-HTTP-Method': 'GET' };
    refused(await gate.post('/public/a', { headers }), 'MISSING_CREDENTIALS');
    refused(await gate.post('/v1/posts', { headers, ...withScope('read:posts') }), 'INSUFFICIENT_SCOPE', { scope: 'write:posts' });
  });
});

describe('issuers and claims', () => {
  test('a claim is the segment of the path, exactly', async () => {
    const of = (org_id) => ({ token: token({ org_id }) });
    for (const path of ['/orgs/acme', '/orgs/acme/x', '/orgs/%61cme/x?org=other']) {
      admitted(await gate.get(path, of('acme')));
      admitted(await gate.get(path, of(['other', 'acme'])));
      for (const org of ['other', 'Acme', 'acme ', '', [], { acme: true }, undefined]) refused(await gate.get(path, of(org)), 'NOT_ALLOWED');
    }
    refused(await gate.get('/orgs/Acme/x', of('acme')), 'NOT_ALLOWED');
    refused(await gate.get('/orgs/acme/x'), 'MISSING_CREDENTIALS');
    const { key } = await gate.mint({ scopes: [] });
    refused(await gate.get('/orgs/acme/x', { key }), 'NOT_ALLOWED');
    const line = await gate.output.find((text) => text.includes('claim_not_allowed'));
    assert.match(line, /claim org_id is not what the route wants/);
  });

  test('only the tokens of the issuers that a route names count there', async () => {
    admitted(await gate.get('/internal', { token: token({ iss: 'https://internal.example/' }) }));
    refused(await gate.get('/internal', { token: token() }), 'NOT_ALLOWED');
  });
});

describe('paths that servers read in two ways are refused before any route is looked at', () => {
  const paths = {
    'an empty segment': ['//', '/public//a', '//public/a', '/public/a//', '/v1//posts'],
    'an encoded slash': ['/public%2fa', '/public/..%2fsecret%2fa', '/public/%2F', '/public/a%2f..%2fb'],
    'a backslash': ['/public\\..\\secret', '/public/a\\b', '/public/..%5csecret', '/public%5Ca'],
    'an encoded dot segment': ['/public/%2e%2e/secret', '/public/%2E./secret', '/public/.%2e/secret', '/public/%2e/a'],
    'parameters': ['/public/a;b=c', '/public/..;/secret', '/;/public', '/public;a'],
    'a control character': ['/public/a%00', '/public/%00/a', '/public/a%0d%0ab', '/public/%7f', '/public/%1f', '/public/%09'],
    'a broken encoding': ['/public/%', '/public/%2', '/public/%zz', '/public/a%2gb'],
    'invalid UTF-8': ['/public/%ff', '/public/%c0%ae%c0%ae/secret', '/public/%ed%a0%80', '/public/%f8%80%80%80%80'],
    'a double encoding': ['/public/%252e%252e/secret', '/public/..%252fsecret', '/public/%255c', '/%2573ecret/a', '/secre%2574/a'],
    'too many characters': [`/public/${'a'.repeat(9000)}`],
  };
  for (const [what, targets] of Object.entries(paths)) {
    test(what, async () => {
      for (const target of targets) {
        for (const name of ['gate', 'proxy']) {
          const answer = await gate.get(target, { gate: name });
          assert.equal(answer.status, 400, `${target}: ${answer.status} ${answer.text}`);
          refused(answer, 'INVALID_REQUEST', { hint: /path/i });
          refused(await gate.get(target, { gate: name, token: token({ scope: 'secret' }) }), 'INVALID_REQUEST');
        }
      }
    });
  }

  test('plain dot segments never lead out of an open route', async () => {
    for (const target of ['/public/../secret/a', '/public/./../secret/a', '/public/a/../../secret/a', '/../secret/a', '/public/..']) {
      const answer = await gate.get(target, { gate: 'proxy' });
      assert.ok(['INVALID_REQUEST', 'MISSING_CREDENTIALS'].includes(answer.json().code), `${target}: ${answer.text}`);
    }
  });

  test('what is encoded without need is the same path', async () => {
    refused(await gate.get('/%73ecret/a'), 'MISSING_CREDENTIALS');
    refused(await gate.get('/%73ecret/a', { token: token() }), 'INSUFFICIENT_SCOPE', { scope: 'secret' });
    admitted(await gate.get('/%70ublic/a'));
    admitted(await gate.get('/public/a%20b/%C3%BC/100%25'));
    admitted(await gate.get('/public/a.b/..c/d..?x=/../y;z%2f%00//'));
  });

  test('a trailing slash makes no difference', async () => {
    refused(await gate.get('/v1/posts/', { token: token() }), 'INSUFFICIENT_SCOPE', { scope: 'read:posts' });
    admitted(await gate.get('/v1/posts/', withScope('read:posts')));
  });

  test('the fragment of a path written by hand does not count', async () => {
    const answer = await gate.send(`GET /secret/a#/../public/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /);
    const open = await gate.send(`GET /public/a#b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'proxy');
    assert.match(open, /^HTTP\/1\.1 (200|400) /);
    if (open.includes(' 200 ')) assert.match(open, /x-seen: GET \/public\/a\r\n/i);
  });

  test('bytes that are no ASCII have to be encoded', async () => {
    for (const bytes of ['/public/\xc3\xbc', '/public/\xff', '/secret/\xc3\xbc', '/public/\x7f']) {
      const answer = await gate.send(Buffer.from(`GET ${bytes} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'latin1'), 'proxy');
      assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(bytes));
      assert.doesNotMatch(answer, /x-seen/i);
    }
  });

  test('the upstream gets the very path that was decided on', async () => {
    for (const target of ['/public/a', '/public/a/', '/public/a%20b?c=%2F&d=e+f', '/%70ublic/%C3%BC', '/public/a?']) {
      const answer = await gate.get(target, { gate: 'proxy' });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-seen'].replace(/\?$/, ''), `GET ${target}`.replace(/\?$/, ''));
    }
  });
});

describe('the gate’s own endpoints', () => {
  test('are not passed on, whatever the routes say', async () => {
    for (const target of ['/auth', '/auth/', '/auth/nothing', '/auth/admin', '/auth/health/x', '/auth/admin/nothing', '/auth/admin/keys/a/b/c']) {
      const answer = await gate.get(target, { gate: 'proxy', token: SECRETS.ADMIN_TOKEN });
      assert.equal(answer.status, 404, `${target}: ${answer.text}`);
      refused(answer, 'NOT_FOUND');
    }
  });

  test('answer wrong methods with 405 and what is allowed', async () => {
    const allowed = {
      '/auth/health': /^GET, HEAD$|^GET$/,
      '/.well-known/jwks.json': /^GET, HEAD$|^GET$/,
      '/auth/admin/keys': /^GET, POST$|^POST, GET$/,
      [`/auth/admin/keys/${'0'.repeat(32)}`]: /GET.*PATCH.*DELETE/,
      [`/auth/admin/keys/${'0'.repeat(32)}/rotate`]: /^POST$/,
      '/auth/admin/revocations': /^GET, POST$|^POST, GET$/,
      [`/auth/admin/revocations/${'A'.repeat(43)}`]: /^GET, DELETE$/,
    };
    for (const [target, methods] of Object.entries(allowed)) {
      const answer = await gate.request('PUT', target, { token: SECRETS.ADMIN_TOKEN });
      assert.equal(answer.status, 405, `${target}: ${answer.text}`);
      refused(answer, 'METHOD_NOT_ALLOWED');
      assert.match(answer.headers.allow, methods, target);
    }
  });

  test('lie below the prefix that the policy names, and only there', async () => {
    const health = await gate.get('/_gate/v1/health', { gate: 'elsewhere' });
    assert.equal(health.status, 200);
    assert.equal(health.json().status, 'ok');
    refused(await gate.get('/auth/health', { gate: 'elsewhere' }), 'MISSING_CREDENTIALS');
    refused(await gate.get('/_gate/v1/admin/keys', { gate: 'elsewhere' }), 'MISSING_CREDENTIALS');
    refused(await gate.get('/authx', { gate: 'gate' }), 'MISSING_CREDENTIALS');
  });

  test('publish an empty key set', async () => {
    const answer = await gate.get('/.well-known/jwks.json');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^application\/(jwk-set\+)?json$/);
    assert.deepEqual(answer.json(), { keys: [] });
  });

  test('have one spelling, like every other path', async () => {
    for (const target of ['/auth//health', '/auth/admin//keys', '/auth/admin/keys//', '/auth/admin/keys/%2e%2e/revocations', '/auth/admin/keys;a', '/auth//admin/keys']) {
      const answer = await gate.get(target, { token: SECRETS.ADMIN_TOKEN });
      assert.ok(['INVALID_REQUEST', 'NOT_FOUND'].includes(answer.json().code), `${target}: ${answer.text}`);
    }
  });

  test('cannot be reached past the gate by a second spelling', async () => {
    for (const target of ['/auth%2fhealth', '/%61uth/admin/keys', '/auth/%61dmin/keys', '/AUTH/admin/keys', '/auth/./admin/keys']) {
      const answer = await gate.get(target, { gate: 'proxy' });
      assert.ok(answer.status >= 400 && answer.status < 500, `${target}: ${answer.status}`);
      assert.equal(answer.headers['x-seen'], undefined, `${target} reached the upstream`);
    }
  });
});

test('a key of another gate with the same id is told apart by its tag', async () => {
  const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
  refused(await gate.get('/nowhere', { key: apiKey({ id, secret: 'another gate of ours, same id' + 'x'.repeat(8) }) }), 'INVALID_API_KEY');
});
