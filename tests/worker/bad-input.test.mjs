// Bad input: every answer is a documented one, and the instance goes on serving.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';

import { ISSUER, SECRETS, admitted, apiKey, forEach, freshIp, gateWorker, policy, refused, start, token } from './harness.mjs';
import { base62, withChecksum } from './api-key.mjs';
import { base64url } from './token.mjs';

let gate;
let witness;

before(async () => {
  gate = await start([
    gateWorker({ policy: policy({ cookie: 'session', limits: [{ name: 'limited', by: 'caller', requests: 1000, window_secs: 3600, store: 'memory' }] }) }),
  ]);
  witness = { token: token({ sub: 'witness' }), count: 0 };
});
after(() => gate.dispose());

// A memory limit counts in the instance. If a trap had replaced the instance, the count would begin again.
afterEach(async () => {
  const answer = await gate.get('/v1/limited', { token: witness.token });
  admitted(answer, { subject: 'witness' });
  witness.count += 1;
  assert.match(answer.headers.ratelimit, new RegExp(`;r=${1000 - witness.count};`), 'the instance was replaced');
});

describe('tokens', () => {
  test('of any length and any characters are invalid', async () => {
    const tokens = [
      'a', '.', '..', '...', 'a.b.c', 'e30.e30.e30', 'e30.e30.', '!', '~'.repeat(100), '-'.repeat(8000), 'A'.repeat(8192), 'A'.repeat(8193),
      'A'.repeat(50_000), '.'.repeat(5000), 'e30.'.repeat(2000), 'null', '{}', 'undefined', '[object Object]', '0', '\u00ff\u00fe',
    ];
    for (const bearer of tokens) refused(await gate.get('/', { token: bearer }), 'INVALID_TOKEN');
  });

  test('of random bytes in the right form are invalid', async () => {
    const random = () => randomBytes(1 + Math.floor(Math.random() * 300)).toString('base64url');
    await forEach(Array.from({ length: 300 }, () => [random(), random(), random()].join('.')), async (bearer) => {
      refused(await gate.get('/', { token: bearer }), 'INVALID_TOKEN');
    });
  });

  test('whose JSON is anything at all are invalid', async () => {
    const deep = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
    const documents = [
      '', ' ', '0', '-0', '1e999', '"x"', 'true', 'null', '[]', '[[]]', '{', '}', '{}x', '{"a":}', '{"a":1,}', '{a:1}', "{'a':1}", '{"a":NaN}', '{"a":01}',
      '{"":""}', '{"\\u0000":1}', '{"a":"\u0001"}', '{"a":"\\ud800"}', '\ufeff{}', '// comment\n{}', deep('[', ']', 1500), deep('{"a":', '}', 500),
      `{"alg":"HS256","kid":"${'k'.repeat(3000)}"}`, `{"alg":"${'H'.repeat(3000)}"}`, '{"alg":"HS256","alg":"HS256"}', '{"alg":1e400}',
      '{"__proto__":{"alg":"HS256"}}', '{"alg":{"toString":"HS256"}}', `{"iss":"${ISSUER}","exp":1e999}`, `{"iss":"${ISSUER}","exp":9e999999}`,
      `{"iss":"${ISSUER}","exp":${'9'.repeat(1000)}}`, `{"iss":"${ISSUER}","exp":-${'9'.repeat(400)}}`, '{"$serde_json::private::Number":"1"}',
    ];
    const good = base64url({ alg: 'HS256' });
    await forEach(documents, async (text) => {
      refused(await gate.get('/', { token: `${base64url(text)}.${base64url({ iss: ISSUER })}.AAAA` }), 'INVALID_TOKEN');
      refused(await gate.get('/', { token: `${good}.${base64url(text)}.AAAA` }), 'INVALID_TOKEN');
      refused(await gate.get('/', { token: token({}, { header: text }) }), 'INVALID_TOKEN');
    });
  });

  test('that are genuine with strange claims are invalid or harmless', async () => {
    const claims = [
      { sub: 'x'.repeat(5000) }, { sub: '\u0000' }, { sub: '\r\nX-Auth-Scopes: admin' }, { scope: ' '.repeat(3000) }, { scope: 'a '.repeat(1500) },
      { scope: ['"', '\\', 'ü', '\n'] }, { scope: { toString: 'admin' } }, { jti: 'j'.repeat(4000) }, { sid: '' }, { sub: '' }, { jti: '' },
      { exp: 1e308 }, { nbf: -1e308 }, { iat: -1e308 }, { nested: [[[[{ a: [] }]]]] }, JSON.parse('{"__proto__":{"sub":"root"}}'),
      { constructor: 'x', toString: 'y', hasOwnProperty: 1 },
    ];
    for (const more of claims) {
      const answer = await gate.get('/v1/limited', { token: token(more) });
      if (answer.status !== 200) refused(answer, 'INVALID_TOKEN');
      else assert.deepEqual(answer.json().scopes.filter((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)), []);
    }
  });
});

describe('API keys', () => {
  test('that are mistyped, cut, lengthened or made up are invalid', async () => {
    const good = apiKey();
    const body = good.slice(8, -6);
    const keys = [
      'sk_', 'sk_test_', '_', '__', 'sk', 'sk_test', `sk_${body}`, `sk__${good.slice(8)}`, `${good}a`, good.slice(0, -1), good.slice(1), ` ${good} x`,
      good.toUpperCase(), good.toLowerCase(), `xx${good.slice(2)}`, `sk_test_${'0'.repeat(58)}`, `sk_test_${'z'.repeat(58)}`, withChecksum(`sk_test_${'z'.repeat(52)}`),
      withChecksum(`sk_test_${'0'.repeat(52)}`), withChecksum('sk_test_'), withChecksum(`sk_test_${body}0`), withChecksum(`sk_test_${body.slice(1)}`),
      withChecksum(`sk_test_${base62(2n ** 304n, 52)}`), withChecksum(`sk_test_${base62(2n ** 304n - 1n, 52)}`), `sk_test_${'é'.repeat(29)}`, `sk_test_${'!'.repeat(58)}`,
      `sk_test_${'a'.repeat(50_000)}`, `sk_${'_'.repeat(5000)}`, apiKey({ version: 0 }), apiKey({ version: 2 }), apiKey({ version: 255 }), apiKey({ signingKey: 0 }),
      apiKey({ signingKey: 255 }), apiKey({ tag: Buffer.alloc(16) }), apiKey({ tag: randomBytes(16) }), apiKey({ prefix: 'zz' }),
    ];
    await forEach(keys, async (key) => {
      const encoded = Buffer.from(key).toString('latin1');
      refused(await gate.get('/', { key: encoded }), 'INVALID_API_KEY');
    });
  });

  test('with any one character changed are invalid, wherever it is', async () => {
    const { key } = await gate.mint();
    const changed = [...key].map((character, position) => key.slice(0, position) + (character === 'a' ? 'b' : 'a') + key.slice(position + 1));
    await forEach(changed, async (other) => {
      const answer = await gate.get('/', { key: other });
      assert.ok(['INVALID_API_KEY', 'WRONG_ENVIRONMENT'].includes(answer.json().code), answer.text);
    });
    admitted(await gate.get('/', { key }));
  });

  test('with one changed bit of the content are invalid though the checksum fits', async () => {
    const { key } = await gate.mint();
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    let content = 0n;
    for (const digit of key.slice(8, -6)) content = content * 62n + BigInt(digits.indexOf(digit));
    await forEach(Array.from({ length: 304 }, (_, bit) => bit), async (bit) => {
      const answer = await gate.get('/', { key: withChecksum(`sk_test_${base62(content ^ (1n << BigInt(bit)), 52)}`) });
      // A changed bit of the expiry must not show as "expired", since the tag does not hold.
      refused(answer, 'INVALID_API_KEY');
    });
    admitted(await gate.get('/', { key }));
  });
});

describe('headers', () => {
  test('with bytes that are not text are refused, or are no credential', async () => {
    for (const bytes of ['\xff\xfe', '\x80', '\xc3\x28', '\xed\xa0\x80', '\xf0\x9f\x98\x80', '\x7f', 'a\tb']) {
      for (const name of ['Authorization', 'X-API-Key', 'Cookie', 'Accept', 'CF-Connecting-IP', 'X-Forwarded-Uri', 'Origin']) {
        const value = { Authorization: `Bearer ${bytes}`, Cookie: `session=${bytes}` }[name] ?? bytes;
        const answer = await gate.send(Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${name}: ${value}\r\n\r\n`, 'latin1'));
        assert.match(answer, /^HTTP\/1\.1 4\d\d /, `${name}: ${JSON.stringify(bytes)}`);
      }
    }
  });

  test('that are huge get an answer, from the gate or from the runtime', async () => {
    for (const size of [8_000, 16_000, 32_000, 100_000]) {
      for (const [name, value] of [['Authorization', `Bearer ${'a'.repeat(size)}`], ['X-API-Key', 'a'.repeat(size)], ['Cookie', `session=${'a'.repeat(size)}`], ['X-Other', 'a'.repeat(size)]]) {
        const answer = await gate.get('/', { headers: { [name]: value } }).catch((error) => error);
        // Above its own limit the runtime answers 431 or closes the connection.
        if (answer instanceof Error) assert.ok(size > 32_000, `${name} of ${size}: ${answer.message}`);
        else assert.ok([400, 401, 413, 431].includes(answer.status), `${name} of ${size}: ${answer.status}`);
      }
    }
  });

  test('that are many get an answer', async () => {
    const headers = Object.fromEntries(Array.from({ length: 500 }, (_, number) => [`X-Header-${number}`, `${number}`]));
    refused(await gate.get('/', { headers }), 'MISSING_CREDENTIALS');
    const cookies = Array.from({ length: 500 }, (_, number) => `c${number}=${number}`).join('; ');
    refused(await gate.get('/', { headers: { Cookie: cookies } }), 'MISSING_CREDENTIALS');
  });

  test('with strange cookies are no credential or a bad one', async () => {
    for (const cookie of ['session', 'session=', ';', '=', '==', 'session==', ';;session=;', 'session="', 'session=""', '\u00ff=1', 'a=b; '.repeat(1000)]) {
      const answer = await gate.get('/', { headers: { Cookie: cookie } });
      assert.ok(['MISSING_CREDENTIALS', 'INVALID_TOKEN'].includes(answer.json().code), `${cookie}: ${answer.text}`);
    }
  });
});

describe('requests', () => {
  test('with strange methods are answered', async () => {
    for (const method of ['TRACE', 'PROPFIND', 'PURGE', 'REPORT', 'MKCALENDAR']) {
      const answer = await gate.send(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 (4\d\d|501) /, method);
    }
    for (const method of ['get', 'FOO', 'G'.repeat(1000), 'GET\x00']) {
      const answer = await gate.send(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.doesNotMatch(answer, /^HTTP\/1\.1 200 /, method);
    }
  });

  test('that are no HTTP, or break off, are dropped', async () => {
    for (const text of ['', '\r\n\r\n', '\x16\x03\x01', 'GET', 'GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\r\nHost', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n']) {
      await new Promise((resolve) => {
        const socket = net.connect(gate.port(), '127.0.0.1', () => socket.end(text, 'latin1'));
        socket.on('error', resolve);
        socket.on('close', resolve);
        socket.resume();
      });
    }
  });

  test('with strange addresses of clients are answered', async () => {
    for (const ip of ['', ' ', 'x', '1.2.3.4.5', '256.1.1.1', '::', ':::', '[::1]', '1.2.3.4, 5.6.7.8', '::ffff:1.2.3.4', 'fe80::1%eth0', '9'.repeat(5000)]) {
      refused(await gate.get('/', { ip }), 'MISSING_CREDENTIALS');
      refused(await gate.get('/', { ip, token: token({ exp: 1 }) }), 'TOKEN_EXPIRED');
    }
  });
});

describe('bodies of the administration', () => {
  const id = '0'.repeat(32);
  const endpoints = [['POST', '/keys'], ['PATCH', `/keys/${id}`], ['POST', `/keys/${id}/rotate`], ['POST', '/revocations']];
  const deep = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
  const bodies = {
    'that are white space': ' \n\t',
    'that are null': 'null',
    'that are a number': '7',
    'that are text': '"name"',
    'that are a list': '[]',
    'that are a boolean': 'true',
    'that are cut off': '{"name":"a"',
    'with text behind them': '{"name":"a"}x',
    'with a second object': '{}{}',
    'in single quotes': "{'name':'a'}",
    'with a comment': '{/**/}',
    'with a trailing comma': '{"name":"a",}',
    'with NaN': '{"expires_in_secs":NaN}',
    'with a byte order mark': '\ufeff{"name":"a"}',
    'of invalid UTF-8': Buffer.from('7b226e616d65223a22ff227d', 'hex'),
    'of overlong UTF-8': Buffer.from('7b226e616d65223a22c0af227d', 'hex'),
    'in UTF-16': Buffer.from('{"name":"a"}', 'utf16le'),
    'of random bytes': randomBytes(1000),
    'of zeros': Buffer.alloc(1000),
    'with lists 10,000 deep': deep('[', ']', 10_000),
    'with objects 10,000 deep': deep('{"a":', '}', 10_000).replace(':}', ':1}'),
    'with a field 10,000 deep': `{"name":${deep('[', ']', 10_000)}}`,
    'with an unknown field 10,000 deep': `{"zz":${deep('[', ']', 10_000)}}`,
    'with 10,000 fields': JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, number) => [`f${number}`, 1]))),
    'with a number of 10,000 digits': `{"expires_in_secs":${'9'.repeat(10_000)}}`,
    'with a name of 60,000 characters': `{"name":"${'n'.repeat(60_000)}"}`,
    'of 64 KiB and one byte': `{"name":"${'n'.repeat(65_536 - 10)}"}`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    test(`${what} are refused as such`, async () => {
      for (const [method, target] of endpoints) {
        refused(await gate.admin(method, target, body), 'INVALID_REQUEST');
      }
    });
  }

  test('that are empty are refused, except for a rotation, which needs none', async () => {
    for (const body of ['', undefined]) {
      for (const [method, target] of endpoints) {
        refused(await gate.admin(method, target, body), target.endsWith('rotate') ? 'NOT_FOUND' : 'INVALID_REQUEST');
      }
    }
  });

  test('of 5 MB are not read to their end', async () => {
    for (const [method, target] of endpoints) {
      // The runtime closes the connection while the client is still sending. Then the client may miss the answer.
      const answer = await gate.admin(method, target, Buffer.alloc(5_000_000, 0x61), { agent: false }).catch((error) => error.code);
      if (typeof answer === 'string') assert.match(answer, /^(ECONNRESET|EPIPE)$/);
      else refused(answer, 'INVALID_REQUEST');
    }
  });

  test('need no Content-Type, and a wrong one changes nothing', async () => {
    const body = JSON.stringify({ name: 'n', owner: 'o', scopes: [] });
    for (const headers of [{}, { 'Content-Type': 'text/plain' }, { 'Content-Type': 'application/json; charset=utf-16' }]) {
      assert.equal((await gate.admin('POST', '/keys', body, { headers })).status, 201);
    }
  });

  test('just below the bound are read', async () => {
    const padding = ' '.repeat(65_536 - 50);
    const answer = await gate.admin('POST', '/keys', `{"name":"n","owner":"o","scopes":[]${padding}}`.slice(0, 65_536));
    assert.equal(answer.status, 201, answer.text);
  });

  test('sent in pieces are read whole', async () => {
    const text = JSON.stringify({ name: 'ü'.repeat(50), owner: 'o', scopes: ['a'] });
    const pieces = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    const { Readable } = await import('node:stream');
    const answer = await gate.admin('POST', '/keys', Readable.from(pieces));
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.json().name, 'ü'.repeat(50));
  });
});

test('callers that go away in the middle do not disturb the others', async () => {
  for (let count = 0; count < 60; count += 1) {
    const socket = net.connect(gate.port(), '127.0.0.1');
    socket.on('error', () => {});
    const kind = [
      `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token({ jti: `gone-${count}` })}\r\n\r\n`,
      `POST /auth/admin/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRETS.ADMIN_TOKEN}\r\nContent-Length: 1000\r\n\r\n{"name"`,
      `GET /v1/posts HTTP/1.1\r\nHost: x\r\nX-API-Key: ${apiKey()}\r\n\r\n`,
    ][count % 3];
    socket.write(kind);
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
  }
  admitted(await gate.get('/', { token: token() }));
});

test('many callers with many kinds of bad input at once do not disturb a good one', async () => {
  const { key } = await gate.mint();
  const bad = [
    () => gate.get('/', { token: randomBytes(500).toString('base64url') }),
    () => gate.get('/', { key: `sk_test_${randomBytes(43).toString('hex').slice(0, 58)}` }),
    () => gate.get('/%ff'),
    () => gate.admin('POST', '/keys', '{'),
    () => gate.admin('GET', '/keys/x', undefined, { token: 'wrong' }),
    () => gate.get('/auth/verify'),
  ];
  await forEach(Array.from({ length: 300 }, (_, number) => number), async (number) => {
    const answer = await bad[number % bad.length]();
    assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
    if (number % 3 === 0) admitted(await gate.get('/', { key, ip: freshIp() }));
  }, 32);
});

test('the log has none of these secrets', () => {
  const log = gate.output.lines.join('\n');
  for (const secret of Object.values(SECRETS)) assert.ok(!log.includes(secret));
});
