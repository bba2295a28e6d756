// Tokens: those of other libraries are admitted, one with any changed bit is refused, and the rules of claims hold.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { peerTokens, trust } from './peers.mjs';
import { AUDIENCE, ISSUER, SECRETS, admitted, forEach, gateWorker, policy, refused, start, token } from './harness.mjs';
import { base64url, claimsOf, nowSecs, signAsymmetric, signHmac } from './token.mjs';

const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA'];
const ISSUER_RULES = {
  'https://typ.test/': { typ: 'at+jwt' },
  'https://age.test/': { max_token_age_secs: 300 },
  'https://signed-in.test/': { max_auth_age_secs: 300 },
  'https://tolerant.test/': { clock_tolerance_secs: 60 },
  'https://required.test/': { required_claims: ['sub', 'tenant'] },
  'https://eternal.test/': { require_exp: false },
  'https://permissions.test/': { scope_claim: 'permissions' },
  'https://two-audiences.test/': { audience: ['first', 'second'] },
};

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaPem = rsa.publicKey.export({ format: 'pem', type: 'spki' });
const RSA_ISSUER = 'https://rsa.test/';
const KEYS_ISSUER = 'https://keys.test/';
const OCT_ISSUER = 'https://oct.test/';
const pairs = {
  first: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  second: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
const OCT = Buffer.alloc(48, 7);

const peers = await peerTokens();
let gate;
let lure;
let lureHits = 0;

before(async () => {
  lure = http.createServer((_, response) => {
    lureHits += 1;
    response.end(JSON.stringify({ keys: [{ ...otherRsa.publicKey.export({ format: 'jwk' }), kid: 'lure' }] }));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => lure.once('listening', resolve));

  const jwks = trust(peers, 'jwks');
  const pem = trust(peers, 'pem');
  const example = policy();
  const jwk = (name) => ({ ...pairs[name].publicKey.export({ format: 'jwk' }), kid: name });
  const issuers = [
    ...example.issuers,
    ...jwks.issuers,
    ...Object.entries(ISSUER_RULES).map(([issuer, rules]) => ({
      issuer, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET', ...rules,
    })),
    { issuer: RSA_ISSUER, audience: [AUDIENCE], algorithms: ['RS256'], pem: rsaPem },
    { issuer: KEYS_ISSUER, audience: [AUDIENCE], algorithms: ['ES256'], jwks: { keys: [jwk('first'), jwk('second')] } },
    {
      issuer: OCT_ISSUER, audience: [AUDIENCE], algorithms: ['HS256'],
      jwks: { keys: [{ kty: 'oct', k: OCT.toString('base64url'), alg: 'HS256', kid: 'oct-1' }] },
    },
  ];
  gate = await start([
    gateWorker({ policy: policy({ issuers }), secrets: { ...SECRETS, ...jwks.secrets } }),
    gateWorker({ name: 'pem', policy: policy({ issuers: pem.issuers }), secrets: { ...SECRETS, ...pem.secrets } }),
  ], { secrets: { ...jwks.secrets, ...SECRETS } });
});
after(() => lure.close());
after(() => gate.dispose());

const ask = (bearer, more) => gate.get('/v1/other', { token: bearer, ...more });
const invalid = async (bearer) => refused(await ask(bearer), 'INVALID_TOKEN');

/** Flips one bit of each byte of a segment, in turn. */
function* flips(segment) {
  const bytes = Buffer.from(segment, 'base64url');
  for (let position = 0; position < bytes.length; position += 1) {
    const changed = Buffer.from(bytes);
    changed[position] ^= 1 << (position * 5 % 8);
    yield changed.toString('base64url');
  }
}

function* changedTokens(jwt) {
  const segments = jwt.split('.');
  for (const index of [0, 1, 2]) {
    for (const changed of flips(segments[index])) yield segments.with(index, changed).join('.');
  }
}

test('every peer signs with every algorithm it has', () => {
  const signed = (name) => peers.filter((peer) => peer.name === name).map((peer) => peer.algorithm);
  assert.deepEqual(signed('jose'), ALGORITHMS);
  assert.deepEqual(signed('jsonwebtoken'), ALGORITHMS.filter((algorithm) => algorithm !== 'EdDSA'));
  assert.deepEqual(signed('pyjwt'), ALGORITHMS);
});

for (const peer of peers) {
  describe(`${peer.algorithm} of ${peer.name}`, () => {
    test('passes, with what it says about the caller', async () => {
      const expected = {
        method: 'jwt', issuer: peer.issuer, subject: `${peer.name}|zoë`, scopes: ['read:posts', 'write:posts'], key_id: null,
      };
      const { exp } = claimsOf(peer.token);
      assert.ok(exp > nowSecs());
      assert.deepEqual(admitted(await ask(peer.token)), expected);
      if (peer.pem) assert.deepEqual(admitted(await ask(peer.token, { gate: 'pem' })), expected);
    });

    test('fails if one bit of any byte is changed', async () => {
      let tried = 0;
      await forEach(changedTokens(peer.token), async (changed) => {
        refused(await ask(changed), 'INVALID_TOKEN');
        tried += 1;
      });
      const bytes = peer.token.split('.').reduce((sum, part) => sum + Buffer.from(part, 'base64url').length, 0);
      assert.equal(tried, bytes);
      admitted(await ask(peer.token));
    });
  });
}

describe('one token, one spelling', () => {
  const good = token();
  const [header, payload, signature] = good.split('.');

  test('another last character of a segment is another token', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const variants = [0, 1, 2].flatMap((index) => [...alphabet].map((last) => {
      const segments = good.split('.');
      return segments.with(index, segments[index].slice(0, -1) + last).join('.');
    })).filter((variant) => variant !== good);
    assert.equal(variants.length, 3 * 63);
    await forEach(variants, invalid);
    admitted(await ask(good));
  });

  const malformed = {
    'padding': `${header}.${payload}.${signature}=`,
    'padded header': `${header}=.${payload}.${signature}`,
    'the other base64 alphabet': `${header}.${payload}.${signature.slice(0, -2)}+/`,
    'a space inside': `${header}.${payload} .${signature}`,
    'two segments': `${header}.${payload}`,
    'a trailing dot': `${good}.`,
    'four segments': `${good}.${signature}`,
    'five segments, as an encrypted token has': `${good}.${payload}.${signature}`,
    'no header': `.${payload}.${signature}`,
    'no payload': `${header}..${signature}`,
    'no signature': `${header}.${payload}.`,
    'dots only': '..',
    'one dot': '.',
    'a word': 'invalid_token',
    'the same token twice': `${good}${good}`,
    'a comma at the end': `${good},`,
    'quotes': `"${good}"`,
    'a header that is no JSON': signHmac({ iss: ISSUER }, { secret: SECRETS.JWT_SECRET, header: 'nothing' }),
    'a header that is a list': token({}, { header: '["HS256"]' }),
    'a header with text behind it': token({}, { header: '{"alg":"HS256"}{}' }),
    'a header that begins with a byte order mark': token({}, { header: '\ufeff{"alg":"HS256"}' }),
    'a header in UTF-16': token({}, { header: Buffer.from('{"alg":"HS256"}', 'utf16le') }),
    'alg twice': token({}, { header: '{"alg":"HS256","alg":"HS256"}' }),
    'alg twice, once escaped': token({}, { header: '{"alg":"HS256","\\u0061lg":"none"}' }),
    'no alg': token({}, { header: '{"typ":"JWT"}' }),
    'alg as a number': token({}, { header: '{"alg":256}' }),
    'alg as a list': token({}, { header: '{"alg":["HS256"]}' }),
    'kid as a number': token({}, { header: '{"alg":"HS256","kid":1}' }),
    'kid of 100 KB would be too long, 300 bytes are': token({}, { header: { kid: 'k'.repeat(300) } }),
    'typ as an object': token({}, { header: '{"alg":"HS256","typ":{}}' }),
    'an unknown crit': token({}, { header: { crit: ['exp'] } }),
    'an empty crit': token({}, { header: { crit: [] } }),
    'crit that is null': token({}, { header: '{"alg":"HS256","crit":null}' }),
    'b64': token({}, { header: { b64: true } }),
    'b64 named by crit': token({}, { header: { b64: false, crit: ['b64'] } }),
    'a payload that is no object': signHmac('[1]', { secret: SECRETS.JWT_SECRET }),
    'a payload that is null': signHmac('null', { secret: SECRETS.JWT_SECRET }),
    'a payload of invalid UTF-8': signHmac(Buffer.from(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":4102444800,"sub":"\xff"}`, 'latin1'), { secret: SECRETS.JWT_SECRET }),
    'a payload with a lone surrogate': signHmac(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":4102444800,"sub":"\\ud800"}`, { secret: SECRETS.JWT_SECRET }),
    'sub twice': signHmac(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":4102444800,"sub":"a","sub":"b"}`, { secret: SECRETS.JWT_SECRET }),
    'iss twice': signHmac(`{"iss":"${ISSUER}","iss":"${ISSUER}","aud":"${AUDIENCE}","exp":4102444800}`, { secret: SECRETS.JWT_SECRET }),
    'exp twice': signHmac(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":1,"exp":4102444800}`, { secret: SECRETS.JWT_SECRET }),
    'a payload nested 4000 deep': signHmac(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":4102444800,"a":${'['.repeat(2500)}${']'.repeat(2500)}}`, { secret: SECRETS.JWT_SECRET }),
  };
  for (const [what, jwt] of Object.entries(malformed)) {
    test(`refuses ${what}`, () => invalid(jwt));
  }

  test('an unknown header member is ignored', async () => {
    admitted(await ask(token({}, { header: { 'x-unknown': [1, { a: null }] } })));
  });

  test('8192 bytes are taken and one more is not', async () => {
    admitted(await ask(tokenOfLength(8192)));
    refused(await ask(tokenOfLength(8193)), 'INVALID_TOKEN');
  });
});

/** A good token of exactly this many bytes. */
function tokenOfLength(length) {
  const build = (pad, filler) => token({ exp: 4102444800, filler: 'f'.repeat(filler) }, { header: { pad: 'p'.repeat(pad) } });
  const guess = Math.floor(((length - build(0, 0).length) * 3) / 4);
  for (let pad = 0; pad < 4; pad += 1) {
    for (let filler = guess - 8; filler <= guess + 8; filler += 1) {
      const jwt = build(pad, filler);
      if (jwt.length === length) return jwt;
    }
  }
  throw new Error(`no token of ${length} bytes`);
}

describe('the key decides the algorithm', () => {
  const claims = { iss: RSA_ISSUER, aud: AUDIENCE, sub: 'alice', exp: nowSecs() + 600 };
  const hmac = (alg, header = {}) => token({}, { header: { alg, ...header } });

  test('RS256 with the RSA key passes', async () => {
    admitted(await ask(signAsymmetric(claims, { key: rsa.privateKey, alg: 'RS256' })), { issuer: RSA_ISSUER });
  });

  test('none is refused in every spelling, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      const unsigned = hmac(alg).split('.').with(2, '').join('.');
      await invalid(unsigned);
      await invalid(`${unsigned}AA`);
      await invalid(hmac(alg));
    }
  });

  test('the public key is no HMAC secret', async () => {
    const der = rsa.publicKey.export({ format: 'der', type: 'spki' });
    for (const secret of [rsaPem, rsaPem.trim(), der]) {
      for (const alg of ['HS256', 'HS384', 'HS512']) await invalid(signHmac(claims, { secret, alg }));
    }
  });

  test('another hash of the same family is refused', async () => {
    for (const alg of ['HS384', 'HS512']) await invalid(token({}, { alg }));
    for (const alg of ['RS384', 'RS512']) await invalid(signAsymmetric(claims, { key: rsa.privateKey, alg }));
  });

  test('a name that differs in case or white space is no algorithm', async () => {
    for (const alg of ['hs256', 'Hs256', 'HS256 ', ' HS256', 'HS256\n', 'HMACSHA256']) await invalid(hmac(alg));
  });

  test('one issuer cannot sign for another', async () => {
    await invalid(token({ iss: RSA_ISSUER }));
    await invalid(signAsymmetric({ ...claims, iss: ISSUER }, { key: rsa.privateKey, alg: 'RS256' }));
    await invalid(signAsymmetric({ ...claims, iss: KEYS_ISSUER }, { key: rsa.privateKey, alg: 'RS256' }));
  });

  test('keys that a header carries or points to are never used nor fetched', async () => {
    const url = `http://127.0.0.1:${lure.address().port}/jwks.json`;
    const jwk = otherRsa.publicKey.export({ format: 'jwk' });
    for (const header of [{ jwk }, { jku: url, kid: 'lure' }, { x5u: url }, { x5c: ['MIIB'] }, { kid: url }]) {
      await invalid(signAsymmetric(claims, { key: otherRsa.privateKey, alg: 'RS256', header }));
    }
    admitted(await ask(signAsymmetric(claims, { key: rsa.privateKey, alg: 'RS256', header: { jku: url, jwk, x5u: url } })));
    assert.equal(lureHits, 0);
  });

  test('a signature of zeros, of the wrong length or in DER is refused', async () => {
    const good = signAsymmetric({ ...claims, iss: KEYS_ISSUER }, { key: pairs.first.privateKey, alg: 'ES256', header: { kid: 'first' } });
    admitted(await ask(good), { issuer: KEYS_ISSUER });
    const signature = Buffer.from(good.split('.')[2], 'base64url');
    const other = [
      Buffer.alloc(64),
      Buffer.concat([Buffer.alloc(32), signature.subarray(32)]),
      Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32)]),
      signature.subarray(0, 63),
      Buffer.concat([signature, Buffer.from([0])]),
      Buffer.concat([Buffer.from([0x30, 0x44, 0x02, 0x20]), signature.subarray(0, 32), Buffer.from([0x02, 0x20]), signature.subarray(32)]),
    ];
    for (const bytes of other) await invalid(good.split('.').with(2, base64url(bytes)).join('.'));
  });
});

describe('choosing among keys', () => {
  const claims = { iss: KEYS_ISSUER, aud: AUDIENCE, sub: 'alice', exp: nowSecs() + 600 };
  const signed = (name, header) => signAsymmetric(claims, { key: pairs[name].privateKey, alg: 'ES256', header });

  test('kid selects', async () => {
    admitted(await ask(signed('first', { kid: 'first' })));
    admitted(await ask(signed('second', { kid: 'second' })));
  });

  test('without kid each key is tried', async () => {
    admitted(await ask(signed('first')));
    admitted(await ask(signed('second')));
  });

  test('the kid of another key, and an unknown one, are refused', async () => {
    await invalid(signed('first', { kid: 'second' }));
    await invalid(signed('first', { kid: 'third' }));
    await invalid(signed('first', { kid: 'FIRST' }));
  });

  test('a secret in a JWKS verifies', async () => {
    const oct = { ...claims, iss: OCT_ISSUER };
    admitted(await ask(signHmac(oct, { secret: OCT, header: { kid: 'oct-1' } })), { issuer: OCT_ISSUER });
    await invalid(signHmac(oct, { secret: Buffer.alloc(48, 8), header: { kid: 'oct-1' } }));
    await invalid(signHmac(oct, { secret: OCT, alg: 'HS384', header: { kid: 'oct-1' } }));
  });
});

describe('issuer and audience', () => {
  test('the audience may be one of a list', async () => {
    admitted(await ask(token({ aud: ['https://other.test', AUDIENCE] })));
    admitted(await ask(token({ iss: 'https://two-audiences.test/', aud: 'second' })));
    await invalid(token({ iss: 'https://two-audiences.test/', aud: AUDIENCE }));
  });

  const audiences = {
    'another': 'https://other.test',
    'with a slash behind it': `${AUDIENCE}/`,
    'in capitals': AUDIENCE.toUpperCase(),
    'the beginning of ours': AUDIENCE.slice(0, -1),
    'several in one string': `${AUDIENCE} https://other.test`,
    'an empty list': [],
    'an empty string': '',
    'a number': 7,
    'a list with a number beside ours': [AUDIENCE, 7],
    'a list in a list': [[AUDIENCE]],
    'null': null,
    'none': undefined,
  };
  for (const [what, aud] of Object.entries(audiences)) {
    test(`refuses an audience that is ${what}`, () => invalid(token({ aud })));
  }

  const issuers = {
    'another': 'https://other.test/',
    'ours without the slash': ISSUER.slice(0, -1),
    'ours in capitals': ISSUER.toUpperCase(),
    'ours with http': ISSUER.replace('https', 'http'),
    'empty': '',
    'a number': 1,
    'a list': [ISSUER],
    'null': null,
    'none': undefined,
  };
  for (const [what, iss] of Object.entries(issuers)) {
    test(`refuses an issuer that is ${what}`, () => invalid(token({ iss })));
  }
});

describe('time', () => {
  test('exp equal to now is expired', async () => {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const second = nowSecs();
      const answer = await ask(token({ exp: second }));
      refused(answer, 'TOKEN_EXPIRED');
      if (nowSecs() === second) return;
    }
    assert.fail('no request was answered within the second it was sent in');
  });

  test('exp a minute ahead is good, one second ago is expired, and so are 0 and negative ones', async () => {
    admitted(await ask(token({ exp: nowSecs() + 60 })));
    for (const exp of [nowSecs() - 1, 1, 0, -1, -1e18, nowSecs() - 0.5]) refused(await ask(token({ exp })), 'TOKEN_EXPIRED');
  });

  test('exp may have a fraction or be very far away', async () => {
    for (const exp of [nowSecs() + 60.5, 1e15, Number.MAX_SAFE_INTEGER, 1e300]) admitted(await ask(token({ exp })));
  });

  test('exp must be there and be a number', async () => {
    for (const exp of [undefined, null, String(nowSecs() + 600), true, [], {}]) await invalid(token({ exp }));
  });

  test('an issuer that need not send exp may leave it out, but an exp that is there counts', async () => {
    const iss = 'https://eternal.test/';
    admitted(await ask(token({ iss, exp: undefined })));
    refused(await ask(token({ iss, exp: nowSecs() - 1 })), 'TOKEN_EXPIRED');
    await invalid(token({ iss, exp: 'never' }));
  });

  test('nbf and iat ahead are not yet valid, now and before are', async () => {
    for (const claim of ['nbf', 'iat']) {
      refused(await ask(token({ [claim]: nowSecs() + 60 })), 'TOKEN_NOT_YET_VALID');
      refused(await ask(token({ [claim]: 1e300 })), 'TOKEN_NOT_YET_VALID');
      for (const value of [nowSecs(), nowSecs() - 60, 0, -1]) admitted(await ask(token({ [claim]: value })));
      for (const value of [null, '0', true]) await invalid(token({ [claim]: value }));
    }
  });

  test('a tolerance moves each bound by exactly that much', async () => {
    const iss = 'https://tolerant.test/';
    admitted(await ask(token({ iss, exp: nowSecs() - 30 })));
    refused(await ask(token({ iss, exp: nowSecs() - 60 })), 'TOKEN_EXPIRED');
    admitted(await ask(token({ iss, nbf: nowSecs() + 50 })));
    refused(await ask(token({ iss, nbf: nowSecs() + 120 })), 'TOKEN_NOT_YET_VALID');
  });

  test('a greatest age counts from iat, which must be there', async () => {
    const iss = 'https://age.test/';
    admitted(await ask(token({ iss, iat: nowSecs() - 200 })));
    refused(await ask(token({ iss, iat: nowSecs() - 302 })), 'TOKEN_EXPIRED');
    await invalid(token({ iss, iat: undefined }));
  });

  test('a sign-in may be as long ago as the policy says, whenever the token was issued', async () => {
    const iss = 'https://signed-in.test/';
    admitted(await ask(token({ iss, auth_time: nowSecs() - 200 })));
    refused(await ask(token({ iss, iat: nowSecs(), auth_time: nowSecs() - 302 })), 'STEP_UP_REQUIRED', { maxAge: 300 });
    await invalid(token({ iss, auth_time: undefined }));
  });

  test('only a genuine token is told that it expired', async () => {
    await invalid(token({ exp: nowSecs() - 60 }, { secret: 'x'.repeat(32) }));
    await invalid(token({ exp: nowSecs() - 60, aud: 'https://other.test' }));
  });
});

describe('other claims', () => {
  test('typ, where the issuer has one, is compared as a media type', async () => {
    const iss = 'https://typ.test/';
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt']) admitted(await ask(token({ iss }, { header: { typ } })));
    for (const typ of ['JWT', 'jwt', 'at', 'text/at+jwt', '']) await invalid(token({ iss }, { header: { typ } }));
    await invalid(token({ iss }, { header: { typ: undefined } }));
    admitted(await ask(token({}, { header: { typ: undefined } })));
  });

  test('required claims have to be there', async () => {
    const iss = 'https://required.test/';
    admitted(await ask(token({ iss, tenant: 'acme' })));
    await invalid(token({ iss }));
    await invalid(token({ iss, tenant: null }));
    await invalid(token({ iss, tenant: 'acme', sub: undefined }));
  });

  test('sub, jti and sid have to be strings', async () => {
    for (const claim of ['sub', 'jti', 'sid']) {
      for (const value of [1, null, ['a'], {}]) await invalid(token({ [claim]: value }));
    }
    admitted(await ask(token({ sub: undefined })), { subject: null });
  });

  test('scopes are a string or a list, from scope, else scp, else where the issuer keeps them', async () => {
    const scopes = async (claims) => admitted(await ask(token(claims))).scopes;
    assert.deepEqual(await scopes({ scope: 'a b' }), ['a', 'b']);
    assert.deepEqual(await scopes({ scope: ['a', 'b'] }), ['a', 'b']);
    assert.deepEqual(await scopes({ scp: ['a'] }), ['a']);
    assert.deepEqual(await scopes({ scope: 'a', scp: 'b' }), ['a']);
    assert.deepEqual(await scopes({ iss: 'https://permissions.test/', permissions: ['p:1'], scope: 'a' }), ['p:1']);
    for (const scope of [undefined, '', 7, { a: 1 }, [1, null]]) assert.deepEqual(await scopes({ scope }), []);
  });
});
