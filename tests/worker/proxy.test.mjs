// The reverse proxy: what the upstream sees, what the caller gets back, and that bodies stream.

import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib';

import { standsBetween } from '../miniflare.mjs';
import { ISSUER, SECRETS, apiKey, closedPort, gateWorker, policy, refused, start, token } from './harness.mjs';

const MIB = 1024 * 1024;
const SIZE = 50 * MIB;

const LIMITS = [{ name: 'many', by: 'caller', requests: 1000, window_secs: 3600, store: 'memory' }];
const ROUTES = [{ path: '/public/*', auth: 'none' }, { path: '/optional/*', auth: 'optional' }, { path: '/limited/*', limits: ['many'] }];

/** Why a test is only in the oldest workerd. */
const BETWEEN = 'the Worker of Miniflare that stands between does not pass it on';

const TEXT = 'a long text '.repeat(1000);
const PACKED = { gzip: gzipSync(TEXT), br: brotliCompressSync(TEXT) };

/** An upstream for tests: `handle` answers, and `seen` has the requests that it got. */
class Upstream {
  seen = [];
  handle = (_, response) => response.end('ok');

  async listen() {
    this.server = http.createServer((request, response) => {
      this.seen.push(request);
      this.handle(request, response);
    }).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Answers requests by `handle` while `step` runs. Returns the last request seen. */
  async during(handle, step) {
    const usual = this.handle;
    this.handle = handle;
    try {
      const answer = await step();
      return { answer, request: this.seen.at(-1) };
    } finally {
      this.handle = usual;
    }
  }
}

/**
 * A shared cache by RFC 9111 in front of the upstream: what it may store (§3), who may have it (§4), and what a request says about it
 * (§5.2.1). Its port is fixed, since the gates have to know it.
 */
const sharedCache = (origin, port) => ({
  name: 'cache',
  ...(port && { unsafeDirectSockets: [{ host: '127.0.0.1', port }] }),
  modules: true,
  script: `
    const stored = new Map();
    const words = (headers, name) => (headers.get(name) ?? '').toLowerCase().split(',').map((word) => word.trim());
    const ageOf = (control) => control.map((word) => /^(?:s-maxage|max-age)=(\\d+)$/.exec(word)?.[1]).find(Boolean);
    const varies = (request, { vary, sent }) => vary.some((name) => name === '*' || (request.headers.get(name) ?? '') !== sent[name]);
    export default { async fetch(request) {
      const { pathname } = new URL(request.url);
      const [asked, kept] = [words(request.headers, 'cache-control'), stored.get(pathname)];
      if (request.method === 'GET' && kept && !asked.includes('no-cache') && !varies(request, kept)) {
        return new Response(kept.body, { headers: { ...kept.headers, 'X-Cache': 'hit' } });
      }
      const answer = await fetch(new Request(${JSON.stringify(origin)} + pathname, request));
      const [control, body] = [words(answer.headers, 'cache-control'), await answer.text()];
      const shared = ['public', 's-maxage', 'must-revalidate'].some((word) => control.some((one) => one.startsWith(word)));
      const may = request.method === 'GET' && answer.status === 200 && !asked.includes('no-store') && ageOf(control) > 0
        && !control.includes('no-store') && !control.includes('private') && (shared || !request.headers.has('authorization'));
      const vary = words(answer.headers, 'vary').filter(Boolean);
      const sent = Object.fromEntries(vary.map((name) => [name, request.headers.get(name) ?? '']));
      if (may) stored.set(pathname, { body, headers: Object.fromEntries(answer.headers), vary, sent });
      return new Response(body, answer);
    } }`,
});

const upstream = new Upstream();
let gate;

before(async () => {
  await upstream.listen();
  const cachePort = await closedPort();
  const proxied = (more = {}) => policy({ upstream: upstream.url, routes: ROUTES, limits: LIMITS, ...more });
  gate = await start([
    gateWorker({ policy: proxied() }),
    gateWorker({ name: 'forwarding', policy: proxied({ forward_credential: true, cookie: 'session' }) }),
    gateWorker({ name: 'cookie', policy: proxied({ cookie: 'session' }) }),
    gateWorker({ name: 'base', policy: proxied({ upstream: `${upstream.url}/base/` }) }),
    gateWorker({ name: 'down', policy: proxied({ upstream: `http://127.0.0.1:${await closedPort()}` }) }),
    gateWorker({ name: 'cached', policy: proxied({ upstream: `http://127.0.0.1:${cachePort}`, cookie: 'session' }) }),
    gateWorker({ name: 'cached-forwarding', policy: proxied({ upstream: `http://127.0.0.1:${cachePort}`, forward_credential: true }) }),
    gateWorker({ name: 'cached-service', policy: policy({ routes: ROUTES, limits: LIMITS }), worker: { serviceBindings: { UPSTREAM: 'cache' } } }),
    gateWorker({ name: 'opted-out', policy: proxied({ upstream: `http://127.0.0.1:${cachePort}`, cache: 'upstream' }) }),
    sharedCache(upstream.url, cachePort),
    gateWorker({ name: 'service', policy: policy({ routes: ROUTES, limits: LIMITS }), worker: { serviceBindings: { UPSTREAM: 'backend' } } }),
    gateWorker({ name: 'broken-service', policy: policy({ routes: ROUTES, limits: LIMITS }), worker: { serviceBindings: { UPSTREAM: 'broken' } } }),
    {
      name: 'backend',
      modules: true,
      script: `export default { async fetch(request) {
        const body = await request.text();
        return Response.json({ url: request.url, method: request.method, headers: [...request.headers], body }, { status: 203 });
      } }`,
    },
    gateWorker({ name: 'packed-service', policy: policy({ routes: ROUTES, limits: LIMITS }), worker: { serviceBindings: { UPSTREAM: 'packed' } } }),
    {
      name: 'packed',
      modules: true,
      // The service has packed the answer itself, like a Worker that serves packed files.
      script: `
        const PACKED = ${JSON.stringify(Object.fromEntries(Object.entries(PACKED).map(([encoding, bytes]) => [encoding, bytes.toString('base64')])))};
        export default { fetch(request) {
          const encoding = new URL(request.url).pathname.split('/').at(-1);
          const bytes = Uint8Array.from(atob(PACKED[encoding]), (one) => one.charCodeAt(0));
          const headers = { 'Content-Encoding': encoding, 'Content-Type': 'text/plain' };
          return new Response(request.method === 'HEAD' ? null : bytes, { headers, encodeBody: 'manual' });
        } };`,
    },
    { name: 'broken', modules: true, script: `export default { fetch() { throw new Error('no backend today'); } }` },
  ]);
});
after(() => {
  upstream.server.closeAllConnections();
  upstream.server.close();
});
after(() => gate.dispose());

/** Returns the headers that the upstream saw. */
async function seenBy(target, options = {}) {
  const count = upstream.seen.length;
  const answer = await gate.request(options.method ?? 'GET', target, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(upstream.seen.length, count + 1);
  return upstream.seen.at(-1);
}

const identityOf = (request) => Object.fromEntries(Object.entries(request.headers).filter(([name]) => /^x[-_]auth/.test(name)));

describe('identity headers', () => {
  test('of a token', async () => {
    const request = await seenBy('/a', { token: token({ scope: 'read:posts admin' }) });
    assert.deepEqual(identityOf(request), {
      'x-auth-method': 'jwt', 'x-auth-subject': 'alice', 'x-auth-issuer': ISSUER, 'x-auth-scopes': 'admin read:posts',
    });
  });

  test('of an API key', async () => {
    const { key, id } = await gate.mint({ owner: 'bob', scopes: ['read:posts', 'a'] });
    assert.deepEqual(identityOf(await seenBy('/a', { key })), {
      'x-auth-method': 'api_key', 'x-auth-subject': 'bob', 'x-auth-scopes': 'read:posts a', 'x-auth-key-id': id,
    });
  });

  test('of nobody', async () => {
    assert.deepEqual(identityOf(await seenBy('/public/a')), { 'x-auth-method': 'anonymous' });
  });

  test('that a caller sends are removed, in every spelling, on open routes too', async () => {
    const spoofed = {
      'X-Auth-Method': 'jwt', 'X-Auth-Subject': 'root', 'x-auth-issuer': 'me', 'X-AUTH-SCOPES': 'admin', 'X-Auth-Key-Id': '1',
      'X_Auth_Subject': 'root', 'X-Auth_Subject': 'root', 'x_auth_scopes': 'admin', 'X-Auth-Anything': 'x', 'X-Auth-': 'x',
    };
    assert.deepEqual(identityOf(await seenBy('/public/a', { headers: spoofed })), { 'x-auth-method': 'anonymous' });
    assert.deepEqual(identityOf(await seenBy('/a', { headers: spoofed, token: token({ sub: undefined }) })), {
      'x-auth-method': 'jwt', 'x-auth-issuer': ISSUER,
    });
    assert.deepEqual(identityOf(await seenBy('/public/a', { headers: spoofed, gate: 'forwarding' })), { 'x-auth-method': 'anonymous' });
  });

  test('that a caller sends are removed from requests of every length', async () => {
    const spoofed = { 'X-Auth-Scopes': 'admin', 'X-Auth-Subject': 'root' };
    // The gate reads a request into some 4 KB at first: the names of its headers come last.
    for (let length = 3600; length < 4200; length += 9) {
      const target = `/public/a?${'q'.repeat(length)}`;
      const seen = await seenBy(target, { headers: spoofed });
      assert.deepEqual([seen.url, identityOf(seen)], [target, { 'x-auth-method': 'anonymous' }], `query of ${length}`);
      const wide = await seenBy('/public/a', { headers: { DPoP: 'é'.repeat(length / 2), ...spoofed } });
      assert.deepEqual(identityOf(wide), { 'x-auth-method': 'anonymous' }, `${length} bytes that are not ASCII`);
    }
    const known = { token: token({ sub: 'alice', more: 'x'.repeat(5000) }), headers: { ...spoofed, Cookie: 'a=b; '.repeat(1500) } };
    assert.deepEqual(identityOf(await seenBy('/a', known)), { 'x-auth-method': 'jwt', 'x-auth-subject': 'alice', 'x-auth-issuer': ISSUER });
  });

  test('cannot be removed by naming them in Connection', async () => {
    const headers = { Connection: 'close, X-Auth-Subject', 'Proxy-Authorization': 'Basic eDp5' };
    const seen = await seenBy('/a', { token: token({ sub: 'alice' }), headers });
    assert.equal(seen.headers['x-auth-subject'], 'alice');
    assert.doesNotMatch(seen.headers.connection ?? '', /x-auth/i);
    assert.equal(seen.headers['proxy-authorization'], undefined);
  });

  test('cannot be split or forged by what a token says', async () => {
    const subjects = {
      'eve\r\nX-Auth-Scopes: admin': 'eve%0D%0AX-Auth-Scopes: admin',
      'zoë %0a': 'zo%C3%AB %250a',
      ' spaced ': '%20spaced%20',
      '\u0000\u007f': '%00%7F',
      '😀': '%F0%9F%98%80',
      '': '',
    };
    for (const [sub, expected] of Object.entries(subjects)) {
      const request = await seenBy('/a', { token: token({ sub }) });
      assert.equal(request.headers['x-auth-subject'] ?? '', expected);
      assert.equal(request.headers['x-auth-scopes'], undefined);
    }
  });

  test('are not in the answer to the caller', async () => {
    const answer = await gate.get('/a', { token: token() });
    assert.equal(answer.text, 'ok');
    assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith('x-auth')), []);
  });
});

describe('the credential', () => {
  const leaked = (request, credential) => JSON.stringify([request.rawHeaders, request.url]).includes(credential);

  test('stays at the gate, in whatever place it came', async () => {
    const { key } = await gate.mint();
    const bearer = token();
    for (const [credential, options] of [
      [bearer, { token: bearer }], [key, { token: key }], [key, { key }],
      [Buffer.from(`${key}:`).toString('base64'), { basic: key }],
    ]) {
      const request = await seenBy('/a', options);
      assert.ok(!leaked(request, credential));
      assert.equal(request.headers.authorization, undefined);
      assert.equal(request.headers['x-api-key'], undefined);
    }
  });

  test('is not passed on from open routes either', async () => {
    const bearer = token();
    const request = await seenBy('/public/a', { token: bearer, key: apiKey() });
    assert.equal(request.headers.authorization, undefined);
    assert.equal(request.headers['x-api-key'], undefined);
  });

  test('in a cookie is taken out, and the other cookies stay', async () => {
    const bearer = token();
    const request = await seenBy('/a', { gate: 'cookie', headers: { Cookie: `a=1; session=${bearer}; b="2=3"; c` } });
    assert.equal(request.headers.cookie, 'a=1; b="2=3"; c');
    const alone = await seenBy('/a', { gate: 'cookie', headers: { Cookie: `session=${bearer}` } });
    assert.equal(alone.headers.cookie, undefined);
    const none = await seenBy('/public/a', { headers: { Cookie: 'session=abc; a=1' } });
    assert.equal(none.headers.cookie, 'session=abc; a=1', 'without a cookie in the policy cookies are left alone');
  });

  test('in a cookie is found and taken out in every spelling', async () => {
    const bearer = token();
    for (const [cookie, left] of [
      [`a=1, session=${bearer}`, 'a=1'], [`session=${bearer}, a=1; b=2`, 'a=1; b=2'], [`a=1; session = ${bearer}`, 'a=1'],
      [`session\t=\t"${bearer}" ;a=1`, 'a=1'], [`a={"x":1,"y":2};session=${bearer}`, 'a={"x":1,"y":2}'],
    ]) {
      for (const target of ['/a', '/public/a']) {
        const request = await seenBy(target, { gate: 'cookie', headers: { Cookie: cookie } });
        assert.equal(request.headers.cookie, left);
        assert.ok(!leaked(request, bearer), cookie);
        assert.equal(request.headers['x-auth-subject'], target === '/a' ? 'alice' : undefined);
      }
    }
    // Two lines of this header: HTTP/1.1 allows them, but no client library sends them.
    const count = upstream.seen.length;
    const answer = await gate.send([
      'GET /public/a HTTP/1.1', 'Host: x', 'Connection: close', 'Cookie: a=1', `Cookie: session=${bearer}`, '', '',
    ].join('\r\n'), 'cookie');
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.equal(upstream.seen[count].headers.cookie, 'a=1');
    const two = { Cookie: `session=${bearer}, session=${bearer}` };
    refused(await gate.get('/a', { gate: 'cookie', headers: two }), 'MULTIPLE_CREDENTIALS');
  });

  test('that was not verified is removed, even if the policy forwards the verified one', async () => {
    const forged = { 'X-API-Key': 'sk_test_forged', DPoP: 'forged', Cookie: 'a=1; session=forged' };
    const carried = ({ headers }) => [headers.authorization, headers['x-api-key'], headers.dpop, headers.cookie];
    const send = (target, options) => seenBy(target, { gate: 'forwarding', ...options });
    assert.deepEqual(carried(await send('/public/a', { token: 'forged.token.here', headers: forged })), [undefined, undefined, undefined, 'a=1']);
    assert.deepEqual(carried(await send('/optional/a', { headers: { Authorization: 'Token forged', DPoP: 'x' } })), [undefined, undefined, undefined, undefined]);
    const bearer = token();
    assert.deepEqual(carried(await send('/a', { token: bearer, headers: { DPoP: 'forged' } })), [`Bearer ${bearer}`, undefined, undefined, undefined]);
    const minted = await gate.request('POST', '/auth/admin/keys', {
      gate: 'forwarding', token: SECRETS.ADMIN_TOKEN, body: { name: 'n', owner: 'bob', scopes: [] },
    });
    assert.equal(minted.status, 201, minted.text);
    const own = minted.json().key;
    const byKey = await send('/a', { key: own, headers: { Authorization: 'Digest forged', DPoP: 'x' } });
    assert.deepEqual(carried(byKey), [undefined, own, undefined, undefined]);
    const byCookie = await send('/a', { headers: { Cookie: `a=1; session=${bearer}`, Authorization: 'Digest forged' } });
    assert.deepEqual(carried(byCookie), [undefined, undefined, undefined, `a=1; session=${bearer}`]);
  });

  test('in a cookie that a service might take for the policy\'s never goes on', async () => {
    const send = async (target, options) => (await seenBy(target, { gate: 'forwarding', ...options })).headers.cookie;
    const bearer = token();
    for (const other of ['Session', 'SESSION', '%73ession', 'session[]']) {
      const beside = { headers: { Cookie: `session=${bearer}; ${other}=forged` } };
      refused(await gate.get('/a', { gate: 'forwarding', ...beside }), 'MULTIPLE_CREDENTIALS');
      assert.equal(await send('/public/a', { headers: { Cookie: `a=1; ${other}=forged` } }), 'a=1', other);
      assert.equal(await send('/optional/a', { headers: { Cookie: `${other}=forged` } }), undefined, other);
      assert.equal(await send('/a', { headers: { Cookie: `${other}=; session=${bearer}; a=1` } }), `session=${bearer}; a=1`, other);
    }
  });

  test('goes on to the upstream if the policy says so', async () => {
    const bearer = token();
    const request = await seenBy('/a', { gate: 'forwarding', token: bearer });
    assert.equal(request.headers.authorization, `Bearer ${bearer}`);
    assert.equal(request.headers['x-auth-subject'], 'alice');
    const cookie = await seenBy('/a', { gate: 'forwarding', headers: { Cookie: `session=${bearer}` } });
    assert.equal(cookie.headers.cookie, `session=${bearer}`);
  });
});

describe('requests', () => {
  test('keep method, path, query, other headers and body', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      let body;
      const { request, answer } = await upstream.during((incoming, response) => {
        body = '';
        incoming.on('data', (chunk) => { body += chunk; });
        incoming.on('end', () => response.end('done'));
      }, () => gate.request(method, '/a/b%20c?d=%2F&e', {
        token: token(), body: `{"method":"${method}"}`,
        headers: { 'Content-Type': 'application/vnd.test+json', 'X-Request-Id': '7', 'Accept-Language': 'de' },
      }));
      assert.equal(answer.text, 'done');
      assert.equal(`${request.method} ${request.url}`, `${method} /a/b%20c?d=%2F&e`);
      assert.equal(body, `{"method":"${method}"}`);
      assert.equal(request.headers['content-type'], 'application/vnd.test+json');
      assert.equal(request.headers['x-request-id'], '7');
      assert.equal(request.headers['accept-language'], 'de');
    }
  });

  test('go below the path of the upstream', async () => {
    const request = await seenBy('/a?b', { gate: 'base', token: token() });
    assert.equal(request.url, '/base/a?b');
  });

  test('of HEAD stay HEAD, and those without body have none', async () => {
    const { request, answer } = await upstream.during((_, response) => {
      response.setHeader('Content-Length', '1234');
      response.end();
    }, () => gate.request('HEAD', '/a', { token: token() }));
    assert.equal(request.method, 'HEAD');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], '1234');
    const get = await seenBy('/a', { token: token() });
    assert.equal(get.headers['transfer-encoding'], undefined);
    assert.ok([undefined, '0'].includes(get.headers['content-length']));
  });

  test('of GET and HEAD pass with whatever content they have', { skip: standsBetween && BETWEEN }, async () => {
    for (const method of ['GET', 'HEAD']) {
      for (const [field, content, expected] of [
        ['Content-Length: 0', '', ''], ['Content-Length: 3', 'abc', 'abc'], ['Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n', 'abc'],
      ]) {
        for (const target of ['/a', '/limited/a', '/public/a']) {
          const lines = [`${method} ${target}?q HTTP/1.1`, 'Host: x', 'Connection: close', `Authorization: Bearer ${token()}`, field, '', content];
          let body = '';
          const { answer, request } = await upstream.during((incoming, response) => {
            incoming.on('data', (chunk) => { body += chunk; }).on('end', () => response.end('done'));
          }, () => gate.send(lines.join('\r\n')));
          assert.match(answer, /^HTTP\/1\.1 200 /, `${method} ${field}`);
          assert.deepEqual([request.method, request.url, body], [method, `${target}?q`, expected]);
          const service = await gate.send(lines.join('\r\n'), 'service');
          assert.match(service, /^HTTP\/1\.1 203 /, `${method} ${field}`);
          if (method === 'GET') assert.equal(JSON.parse(/\r\n\r\n.*?(\{.*\})/s.exec(service)[1]).body, expected);
        }
      }
    }
  });

  test('that are refused never reach the upstream', async () => {
    const count = upstream.seen.length;
    for (const options of [{}, { token: 'nonsense' }, { key: 'sk_test_x' }, { token: token({ exp: 1 }) }]) {
      assert.equal((await gate.post('/a', { ...options, body: 'x' })).status, 401);
    }
    assert.equal((await gate.get('/public//a')).status, 400);
    assert.equal(upstream.seen.length, count);
  });
});

describe('answers', () => {
  for (const target of ['/a', '/limited/a']) {
    const place = target === '/a' ? 'without limits' : 'with limits';

    test(`keep status, headers and body ${place}`, async () => {
      for (const status of [200, 201, 202, 206, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503]) {
        const { answer } = await upstream.during((_, response) => {
          response.writeHead(status, {
            'Content-Type': 'text/x-test', 'X-Custom': 'a', 'Set-Cookie': ['a=1', 'b=2; Path=/'], 'WWW-Authenticate': 'Upstream',
          });
          response.end(`status ${status}`);
        }, () => gate.get(target, { token: token() }));
        assert.equal(answer.status, status);
        assert.equal(answer.text, `status ${status}`);
        assert.equal(answer.headers['content-type'], 'text/x-test');
        assert.equal(answer.headers['x-custom'], 'a');
        assert.equal(answer.headers['www-authenticate'], 'Upstream');
        assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2; Path=/']);
        assert.equal(answer.headers.ratelimit !== undefined, target === '/limited/a');
      }
    });

    test(`without a body stay so ${place}`, async () => {
      for (const status of [204, 205, 304]) {
        const { answer } = await upstream.during((_, response) => {
          response.writeHead(status, { ETag: '"x"' });
          response.end();
        }, () => gate.get(target, { token: token() }));
        assert.equal(answer.status, status, answer.text);
        assert.equal(answer.text, '');
        assert.equal(answer.headers.etag, '"x"');
      }
    });

    test(`that redirect are the caller’s to follow ${place}`, async () => {
      for (const status of [301, 302, 303, 307, 308]) {
        const count = upstream.seen.length;
        const { answer } = await upstream.during((_, response) => {
          response.writeHead(status, { Location: `${upstream.url}/elsewhere?a=b` });
          response.end('moved');
        }, () => gate.get(target, { token: token() }));
        assert.equal(answer.status, status);
        assert.equal(answer.headers.location, `${upstream.url}/elsewhere?a=b`);
        assert.equal(upstream.seen.length, count + 1, 'the redirect was followed');
      }
    });

    test(`that are compressed arrive so ${place}`, async () => {
      const text = 'a long text '.repeat(1000);
      for (const [encoding, packed] of [['gzip', gzipSync(text)], ['br', brotliCompressSync(text)]]) {
        const { answer, request } = await upstream.during((_, response) => {
          response.writeHead(200, { 'Content-Encoding': encoding, 'Content-Type': 'text/plain' });
          response.end(packed);
        }, () => gate.get(target, { token: token(), headers: { 'Accept-Encoding': 'gzip, br' } }));
        assert.match(request.headers['accept-encoding'] ?? '', /gzip/);
        if (encoding === 'gzip' && answer.headers['content-encoding'] === 'gzip') assert.equal(gunzipSync(answer.body).toString(), text);
        else if (answer.headers['content-encoding'] === undefined) assert.equal(answer.text, text);
        else {
          assert.equal(answer.headers['content-encoding'], encoding);
          assert.ok(answer.body.length < text.length);
        }
      }
    });
  }

  test('with a status that HTTP does not know are 502 on every route, and the log says why', async () => {
    for (const status of [150, 600, 999]) {
      for (const target of ['/a', '/limited/a', '/public/a', '/optional/a']) {
        const { answer } = await upstream.during(({ socket }) => {
          socket.end(`HTTP/1.1 ${status} Odd\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`);
        }, () => gate.get(target, target === '/public/a' ? {} : { token: token() }));
        refused(answer, 'UPSTREAM_ERROR');
      }
      const reason = standsBetween ? 'Network connection lost' : `status ${status}, expected 200 to 599`;
      await gate.output.find((line) => line.includes(reason));
    }
  });

  test('whose reason phrase is in another language or empty are answers', { skip: standsBetween && BETWEEN }, async () => {
    const body = PACKED.gzip;
    for (const text of ['Opération réussie', '\x01', '']) {
      for (const target of ['/a', '/limited/a', '/public/a']) {
        const { answer } = await upstream.during(({ socket }) => {
          socket.write(Buffer.from(`HTTP/1.1 200 ${text}\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`, 'latin1'));
          socket.end(body);
        }, () => gate.get(target, { token: token(), headers: { 'Accept-Encoding': 'gzip' } }));
        assert.equal(answer.status, 200, answer.text);
        assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
        assert.equal(gunzipSync(answer.body).toString(), TEXT);
        assert.equal(answer.headers['cache-control'], target === '/public/a' ? undefined : 'private');
      }
    }
  });

  test('that break off break off at the caller too, and the gate goes on', async () => {
    const { answer } = await upstream.during((_, response) => {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('a');
      setTimeout(() => response.destroy(), 20);
    }, () => gate.get('/a', { token: token() }).then(() => 'whole', () => 'broken'));
    assert.equal(answer, 'broken');
    assert.equal((await gate.get('/a', { token: token() })).text, 'ok');
  });
});

describe('an upstream that does not answer', () => {
  test('because nothing listens is 502', async () => {
    refused(await gate.get('/a', { token: token(), gate: 'down' }), 'UPSTREAM_ERROR');
    refused(await gate.post('/a', { token: token(), gate: 'down', body: 'x'.repeat(1000) }), 'UPSTREAM_ERROR');
    refused(await gate.get('/limited/a', { token: token(), gate: 'down' }), 'UPSTREAM_ERROR');
  });

  test('because it hangs up is 502', async () => {
    const { answer } = await upstream.during((request) => request.socket.destroy(), () => gate.get('/a', { token: token() }));
    refused(answer, 'UPSTREAM_ERROR');
  });

  test('because what it says is no HTTP is 502', async () => {
    const { answer } = await upstream.during((request) => request.socket.end('no HTTP at all\r\n\r\n'), () => gate.get('/a', { token: token() }));
    refused(answer, 'UPSTREAM_ERROR');
  });

  test('because a service binding throws is 502', async () => {
    refused(await gate.get('/a', { token: token(), gate: 'broken-service' }), 'UPSTREAM_ERROR');
  });
});

describe('a service binding', () => {
  test('gets the request as an upstream would', async () => {
    const bearer = token({ scope: 'read:posts' });
    const answer = await gate.post('/a/b%20c?d=e', {
      gate: 'service', token: bearer, body: 'the body', headers: { 'X-Auth-Subject': 'root', 'X-Request-Id': '7', 'Content-Type': 'text/plain' },
    });
    assert.equal(answer.status, 203, answer.text);
    const seen = answer.json();
    const headers = Object.fromEntries(seen.headers);
    assert.equal(seen.method, 'POST');
    assert.equal(new URL(seen.url).pathname + new URL(seen.url).search, '/a/b%20c?d=e');
    assert.equal(seen.body, 'the body');
    assert.equal(headers['x-auth-subject'], 'alice');
    assert.equal(headers['x-auth-scopes'], 'read:posts');
    assert.equal(headers['x-request-id'], '7');
    assert.equal(headers.authorization, undefined);
    assert.ok(!answer.text.includes(bearer));
  });

  test('answers with what it has packed itself, byte for byte', async () => {
    for (const [encoding, bytes] of Object.entries(PACKED)) {
      const headers = { 'Accept-Encoding': 'gzip, br' };
      // Answers with `private` and limits, with `private`, with `Vary`, and unchanged.
      const asked = [[`/limited/${encoding}`, token({ sub: randomUUID() })], [`/a/${encoding}`, token()], [`/optional/${encoding}`], [`/public/${encoding}`]];
      for (const [target, bearer] of asked) {
        const answer = await gate.get(target, { gate: 'packed-service', token: bearer, headers });
        assert.deepEqual([answer.status, answer.headers['content-encoding'], answer.headers['content-type']], [200, encoding, 'text/plain'], target);
        assert.ok(answer.body.equals(bytes), `${target}: ${answer.body.length} bytes, expected ${bytes.length}`);
        assert.equal(answer.headers['cache-control'], bearer && 'private', target);
        const head = await gate.request('HEAD', target, { gate: 'packed-service', token: bearer, headers });
        assert.deepEqual([head.status, head.headers['content-encoding'], head.body.length], [200, encoding, 0], target);
      }
    }
  });

  test('gets limits in its answers too', async () => {
    const answer = await gate.get('/limited/a', { gate: 'service', token: token({ sub: randomUUID() }) });
    assert.equal(answer.status, 203);
    assert.equal(answer.headers['ratelimit-policy'], '"many";q=1000;w=3600');
  });
});

describe('bodies of 50 MiB stream', () => {
  const first = randomBytes(64 * 1024);
  const block = randomBytes(MIB);
  const rest = SIZE - first.length;

  function expectedHash() {
    const hash = createHash('sha256').update(first);
    for (let sent = 0; sent < rest;) {
      const part = block.subarray(0, Math.min(block.length, rest - sent));
      hash.update(part);
      sent += part.length;
    }
    return hash.digest('hex');
  }

  async function writeRest(stream) {
    for (let sent = 0; sent < rest;) {
      const part = block.subarray(0, Math.min(block.length, rest - sent));
      if (!stream.write(part)) await once(stream, 'drain');
      sent += part.length;
    }
    stream.end();
  }

  for (const target of ['/a', '/limited/a']) {
    test(`to the upstream: it has the beginning before the caller sends the rest (${target})`, { timeout: 60_000 }, async () => {
      let arrived;
      const beginning = new Promise((resolve) => { arrived = resolve; });
      const hash = createHash('sha256');
      let size = 0;
      const { answer } = await upstream.during((incoming, response) => {
        incoming.on('data', (chunk) => { size += chunk.length; hash.update(chunk); arrived(size); });
        incoming.on('end', () => response.end(hash.digest('hex')));
      }, () => new Promise((resolve, reject) => {
        const request = http.request({
          host: '127.0.0.1', port: gate.port(), method: 'POST', path: target,
          headers: { Host: 'x', Authorization: `Bearer ${token()}`, 'Content-Length': SIZE, 'Content-Type': 'application/octet-stream' },
        }, async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve({ status: response.statusCode, text });
        });
        request.on('error', reject);
        request.write(first);
        // The upstream must see the beginning now, before the rest has been made.
        beginning.then(() => writeRest(request)).catch(reject);
      }));
      assert.equal(answer.status, 200);
      assert.equal(size, SIZE);
      assert.equal(answer.text, expectedHash());
    });

    test(`to the caller: it has the beginning before the upstream sends the rest (${target})`, { timeout: 60_000 }, async () => {
      let arrived;
      const beginning = new Promise((resolve) => { arrived = resolve; });
      const { answer } = await upstream.during((_, response) => {
        response.writeHead(200, { 'Content-Length': SIZE, 'Content-Type': 'application/octet-stream' });
        response.write(first);
        beginning.then(() => writeRest(response));
      }, async () => {
        const response = await gate.get(target, { token: token(), raw: true });
        const hash = createHash('sha256');
        let size = 0;
        for await (const chunk of response) {
          size += chunk.length;
          hash.update(chunk);
          arrived();
        }
        return { status: response.statusCode, size, hash: hash.digest('hex') };
      });
      assert.deepEqual(answer, { status: 200, size: SIZE, hash: expectedHash() });
    });
  }

  test('a refused upload is answered without waiting for its end', { timeout: 10_000 }, async () => {
    const status = await new Promise((resolve, reject) => {
      const request = http.request({
        host: '127.0.0.1', port: gate.port(), method: 'POST', path: '/a', headers: { Host: 'x', 'Content-Length': SIZE },
      }, (response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      request.on('error', reject);
      request.write(first);
    });
    assert.equal(status, 401);
  });
});

describe('a WebSocket', () => {
  const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  /** A text frame. Clients mask their frames (RFC 6455 §5.3). */
  const frame = (text, masked) => {
    const mask = Buffer.from([1, 2, 3, 4]);
    const payload = Buffer.from(text).map((byte, index) => (masked ? byte ^ mask[index % 4] : byte));
    return Buffer.concat([Buffer.from([0x81, (masked ? 0x80 : 0) | payload.length]), masked ? mask : Buffer.alloc(0), payload]);
  };
  const open = (options) => new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port: gate.port(), path: options.path,
      headers: {
        Host: 'x', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
        ...options.headers,
      },
    });
    request.on('upgrade', (response, socket, head) => resolve({ response, socket, head }));
    request.on('response', (response) => { response.resume(); resolve({ response }); });
    request.on('error', reject);
    request.end();
  });

  for (const target of ['/a', '/limited/a']) {
    test(`passes once its caller is admitted (${target})`, { timeout: 10_000 }, async () => {
      let seen;
      upstream.server.once('upgrade', (request, socket) => {
        seen = request;
        const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + GUID).digest('base64');
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
        socket.once('data', () => socket.write(frame('hello back', false)));
        socket.on('error', () => {});
      });
      const { response, socket } = await open({ path: target, headers: { Authorization: `Bearer ${token()}` } });
      assert.equal(response.statusCode, 101);
      socket.write(frame('hello', true));
      const [answer] = await once(socket, 'data');
      socket.destroy();
      assert.equal(answer.toString('latin1'), frame('hello back', false).toString('latin1'));
      assert.equal(seen.headers['x-auth-subject'], 'alice');
      assert.equal(seen.headers.authorization, undefined);
    });
  }

  test('is refused without a credential', async () => {
    const { response } = await open({ path: '/a', headers: {} });
    assert.equal(response.statusCode, 401);
  });
});

test('the administrator’s token opens nothing but the administration', async () => {
  refused(await gate.get('/a', { token: SECRETS.ADMIN_TOKEN }), 'INVALID_TOKEN');
});

describe('a shared cache', () => {
  const ALICE = () => ({ token: token({ sub: 'alice' }) });
  const BOB = () => ({ token: token({ sub: 'bob' }) });
  const byCookie = (sub) => ({ headers: { Cookie: `session=${token({ sub })}` } });
  const MAX_AGE = { 'Cache-Control': 'max-age=60' };
  let document = 0;
  const fresh = (folder = '') => {
    document += 1;
    return `${folder}/document-${document}`;
  };

  /** The upstream answers with the identity that it was told. */
  const served = (headers, step) => upstream.during((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(`for ${request.headers['x-auth-subject'] ?? 'nobody'}`);
  }, step);
  const texts = async (name, requests) => {
    const all = [];
    for (const [target, options] of requests) {
      const { text, headers } = await gate.get(target, { gate: name, ...options });
      all.push(headers['x-cache'] ? `${text}, stored` : text);
    }
    return all;
  };

  test('behind the gate never gives one caller the answer to another', async () => {
    for (const name of ['cached', 'cached-forwarding', 'cached-service']) {
      for (const said of [MAX_AGE, { 'Cache-Control': 's-maxage=60' }, { 'Cache-Control': 'max-age=60, must-revalidate' }]) {
        await served(said, async () => {
          const target = fresh();
          const impatient = { ...BOB(), headers: { 'Cache-Control': 'max-stale=99999, only-if-cached' } };
          assert.deepEqual(await texts(name, [[target, ALICE()], [target, BOB()], [target, impatient]]), ['for alice', 'for bob', 'for bob'], name);
        });
      }
    }
    await served(MAX_AGE, async () => {
      const target = fresh();
      assert.deepEqual(await texts('cached', [[target, byCookie('alice')], [target, byCookie('bob')]]), ['for alice', 'for bob']);
    });
  });

  test('behind the gate keeps what is for everybody, and gives that to nobody who is known', async () => {
    await served(MAX_AGE, async () => {
      const target = fresh('/optional');
      assert.deepEqual(await texts('cached', [[target], [target], [target, ALICE()], [target], [target, BOB()]]), [
        'for nobody', 'for nobody, stored', 'for alice', 'for nobody, stored', 'for bob',
      ]);
      const open = fresh('/public');
      assert.deepEqual(await texts('cached', [[open, ALICE()], [open, BOB()]]), ['for nobody', 'for nobody, stored']);
    });
  });

  test('is left to the service if the policy says so', async () => {
    await served(MAX_AGE, async () => {
      const target = fresh();
      assert.deepEqual(await texts('opted-out', [[target, ALICE()], [target, BOB()]]), ['for alice', 'for alice, stored']);
      const { headers } = await gate.get(fresh('/optional'), { gate: 'opted-out', ...ALICE() });
      assert.deepEqual([headers['cache-control'], headers.vary], ['max-age=60', undefined]);
    });
  });

  /** What an answer says to caches. */
  const told = async (said, options, target = fresh()) => {
    const { answer } = await served(said, () => gate.get(target, options));
    const names = ['cache-control', 'cdn-cache-control', 'surrogate-control', 'vary', 'expires'];
    return Object.fromEntries(names.map((name) => [name, answer.headers[name]]).filter(([, value]) => value !== undefined));
  };

  test('in front of the gate is told that an answer is private, unless the service decided', async () => {
    for (const [said, expected] of [
      [undefined, 'private'], ['max-age=60', 'private, max-age=60'], ['no-cache', 'private, no-cache'], ['public, max-age=60', 'public, max-age=60'],
      ['max-age=60, private', 'max-age=60, private'], ['no-store', 'no-store'], ['private="Set-Cookie"', 'private, private="Set-Cookie"'],
    ]) {
      const headers = said === undefined ? {} : { 'Cache-Control': said };
      for (const options of [ALICE(), { gate: 'cookie', ...byCookie('alice') }]) {
        assert.equal((await told(headers, options))['cache-control'], expected);
        assert.equal((await told(headers, options, '/limited/a'))['cache-control'], expected);
      }
      assert.equal((await told(headers, {}, '/public/a'))['cache-control'], said);
    }
    const addressed = { ...MAX_AGE, 'CDN-Cache-Control': 'max-age=60', 'Surrogate-Control': 'max-age=60', Expires: 'Thu, 01 Jan 2099 00:00:00 GMT' };
    assert.deepEqual(await told(addressed, ALICE()), { 'cache-control': 'private, max-age=60', expires: addressed.Expires });
    assert.deepEqual(await told(addressed, {}, '/public/a'), {
      'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=60', 'surrogate-control': 'max-age=60', expires: addressed.Expires,
    });
  });

  test('in front of the gate is told what an answer depends on where the route takes anybody', async () => {
    const vary = 'Authorization, X-API-Key';
    assert.deepEqual(await told({ ...MAX_AGE, Vary: 'Accept' }, {}, '/optional/a'), { 'cache-control': 'max-age=60', vary: `Accept, ${vary}` });
    assert.deepEqual(await told(MAX_AGE, ALICE(), '/optional/a'), { 'cache-control': 'private, max-age=60', vary });
    assert.deepEqual(await told(MAX_AGE, { gate: 'cookie' }, '/optional/a'), { 'cache-control': 'max-age=60', vary: `${vary}, Cookie` });
    assert.deepEqual(await told(MAX_AGE, {}, '/public/a'), { 'cache-control': 'max-age=60' });
  });

  test('is told so by 304 and by errors too, and bodies, cookies and lengths stay', async () => {
    for (const status of [200, 204, 206, 304, 404, 500]) {
      const { answer } = await upstream.during((_, response) => {
        response.writeHead(status, { ETag: '"x"', 'Set-Cookie': ['a=1', 'b=2'], ...MAX_AGE });
        response.end([204, 304].includes(status) ? undefined : 'x');
      }, () => gate.get(fresh(), ALICE()));
      assert.deepEqual([answer.status, answer.headers['cache-control'], answer.headers.etag], [status, 'private, max-age=60', '"x"']);
      assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
      assert.equal(answer.text, [204, 304].includes(status) ? '' : 'x');
    }
  });

  test('finds no answer of the gate itself', async () => {
    const asked = [
      ['/a', {}], ['/a', { token: 'nonsense' }], ['/auth/verify', { headers: { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/a' }, ...ALICE() }],
      ['/auth/admin/keys', { token: SECRETS.ADMIN_TOKEN }], ['/auth/health', {}], ['/auth/nowhere', {}],
    ];
    for (const [target, options] of asked) assert.equal((await gate.get(target, options)).headers['cache-control'], 'no-store', target);
  });
});
