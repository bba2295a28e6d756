// Known attacks on verifiers, each by its name, through the package as it is shipped.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { test } from 'node:test';

import { EdgegateError, createVerifier, decodeUnverified } from '../../pkg/node.js';
import { CLAIMS, ISSUER, base64url, options, pairFor, refusalOf, refusalOfPromise, secretFor, signAsymmetric, signHmac } from './support.mjs';

const secret = secretFor('HS256');
const hmac = createVerifier(options());
const refused = (token, verifier = hmac) => refusalOf(() => verifier.verifySync(token), EdgegateError);
const malformed = (message) => ({ code: 'INVALID_TOKEN', reason: 'malformed_token', message });
const BAD_SIGNATURE = { code: 'INVALID_TOKEN', reason: 'bad_signature', message: 'signature does not hold' };
const NOT_ALLOWED = { code: 'INVALID_TOKEN', reason: 'algorithm_not_allowed', message: 'alg is not allowed for this key and issuer' };
const CRITICAL = {
  code: 'INVALID_TOKEN', reason: 'unsupported_critical', message: 'header names critical extensions, none is supported',
};
const THREE = malformed('token: expected three segments, header and signature not empty');

test('alg none in all its spellings, with and without a signature (CVE-2015-9235)', () => {
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '']) {
    const message = `${base64url({ alg })}.${base64url(CLAIMS)}`;
    assert.deepEqual(refused(`${message}.`), THREE);
    assert.deepEqual(refused(message), THREE);
    assert.deepEqual(refused(`${message}.AA`), NOT_ALLOWED);
    assert.deepEqual(refused(signHmac(CLAIMS, { secret, header: { alg } })), NOT_ALLOWED);
  }
});

test('the public key as an HMAC secret (CVE-2015-9235): RS256 to HS256', () => {
  const { publicKey } = pairFor('RS256');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const verifier = createVerifier(options({ algorithms: ['RS256'], key: pem }));
  for (const known of [pem, pem.trim(), publicKey.export({ type: 'spki', format: 'der' }), JSON.stringify(publicKey.export({ format: 'jwk' }))]) {
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      assert.deepEqual(refused(signHmac(CLAIMS, { secret: known, alg }), verifier), NOT_ALLOWED);
    }
  }
  // The HMAC under the name of the key's own algorithm.
  assert.deepEqual(refused(signHmac(CLAIMS, { secret: pem, alg: 'RS256', hash: 'sha256' }), verifier), BAD_SIGNATURE);
});

test('a key in the header is not used: jwk, x5c (CVE-2018-0114)', () => {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const verifier = createVerifier(options({ algorithms: ['RS256'], key: pairFor('RS256').publicKey }));
  const der = own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  for (const header of [{ jwk: own.publicKey.export({ format: 'jwk' }) }, { x5c: [der] }]) {
    assert.deepEqual(refused(signAsymmetric(CLAIMS, { key: own.privateKey, alg: 'RS256', header }), verifier), BAD_SIGNATURE);
  }
});

test('jku and x5u are not followed', async (t) => {
  let hits = 0;
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const lure = http.createServer((_, response) => {
    hits += 1;
    response.end(JSON.stringify({ keys: [own.publicKey.export({ format: 'jwk' })] }));
  }).listen(0, '127.0.0.1');
  t.after(() => {
    lure.closeAllConnections();
    lure.close();
  });
  await new Promise((resolve) => lure.once('listening', resolve));
  const url = `http://127.0.0.1:${lure.address().port}/`;
  const verifier = createVerifier(options({ algorithms: ['RS256'], key: pairFor('RS256').publicKey }));
  for (const header of [{ jku: url }, { x5u: url }]) {
    const token = signAsymmetric(CLAIMS, { key: own.privateKey, alg: 'RS256', header });
    assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), BAD_SIGNATURE);
  }
  assert.equal(hits, 0);
});

test('a kid is a name to compare and nothing else', () => {
  const jwk = { kty: 'oct', k: secret.toString('base64url'), kid: 'mine' };
  const verifier = createVerifier(options({ key: jwk }));
  assert.equal(verifier.verifySync(signHmac(CLAIMS, { secret, header: { kid: 'mine' } })).keyId, 'mine');
  for (const kid of ['../../dev/null', "x' UNION SELECT 'key", '__proto__', 'constructor', 'mine\0', '']) {
    assert.deepEqual(refused(signHmac(CLAIMS, { secret, header: { kid } }), verifier), {
      code: 'INVALID_TOKEN', reason: 'unknown_key', message: 'no key of the issuer fits the header',
    });
  }
  assert.deepEqual(refused(signHmac(CLAIMS, { secret, header: { kid: ['mine'] } }), verifier), malformed('header: kid is not a string'));
  assert.deepEqual(refused(signHmac(CLAIMS, { secret, header: { kid: 'k'.repeat(257) } }), verifier), malformed('header: kid is longer than 256 bytes'));
});

test('an empty, a short and a long signature', () => {
  const token = signHmac(CLAIMS, { secret });
  const message = token.slice(0, token.lastIndexOf('.'));
  assert.deepEqual(refused(`${message}.`), THREE);
  const tag = createHmac('sha256', secret).update(message).digest();
  for (const signature of [tag.subarray(0, 16), tag.subarray(0, 31), Buffer.concat([tag, Buffer.alloc(1)]), Buffer.alloc(32)]) {
    assert.deepEqual(refused(`${message}.${signature.toString('base64url')}`), BAD_SIGNATURE);
  }
});

test('psychic signatures: r or s of zero, or of the order (CVE-2022-21449)', () => {
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  const zero = Buffer.alloc(32);
  const one = Buffer.from(zero.with(31, 1));
  const verifier = createVerifier(options({ algorithms: ['ES256'], key: pairFor('ES256').publicKey }));
  const message = `${base64url({ alg: 'ES256' })}.${base64url(CLAIMS)}`;
  for (const [r, s] of [[zero, zero], [zero, one], [one, zero], [order, order], [order, one], [one, order]]) {
    assert.deepEqual(refused(`${message}.${Buffer.concat([r, s]).toString('base64url')}`, verifier), BAD_SIGNATURE);
  }
});

test('an ECDSA signature in DER is another spelling', () => {
  const { publicKey, privateKey } = pairFor('ES256');
  const verifier = createVerifier(options({ algorithms: ['ES256'], key: publicKey }));
  const good = signAsymmetric(CLAIMS, { key: privateKey, alg: 'ES256' });
  assert.equal(verifier.verifySync(good).claims.jti, 'one');
  const raw = Buffer.from(good.split('.')[2], 'base64url');
  const integer = (bytes) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const value = short[0] & 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short;
    return Buffer.concat([Buffer.from([2, value.length]), value]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  const der = Buffer.concat([Buffer.from([0x30, body.length]), body]);
  assert.deepEqual(refused(`${good.slice(0, good.lastIndexOf('.'))}.${der.toString('base64url')}`, verifier), BAD_SIGNATURE);
});

test('names that occur twice, at any depth', () => {
  const claims = JSON.stringify(CLAIMS).slice(0, -1);
  const duplicate = (part) => ({ code: 'INVALID_TOKEN', reason: 'duplicate_member', message: `${part} has a member name twice` });
  assert.deepEqual(refused(signHmac(`${claims},"sub":"admin"}`, { secret })), duplicate('payload'));
  assert.deepEqual(refused(signHmac(`${claims},"iss":"${ISSUER}"}`, { secret })), duplicate('payload'));
  assert.deepEqual(refused(signHmac(`${claims},"s\\u0075b":"admin"}`, { secret })), duplicate('payload'));
  assert.deepEqual(refused(signHmac(`${claims},"x":{"a":1,"a":2}}`, { secret })), duplicate('payload'));
  assert.deepEqual(refused(signHmac(CLAIMS, { secret, header: '{"alg":"none","alg":"HS256"}' })), duplicate('header'));
});

test('a token has one spelling: trailing bits, padding, the other alphabet, white space', () => {
  const token = signHmac(CLAIMS, { secret });
  const [header, payload, signature] = token.split('.');
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(signature.at(-1));
  const spare = signature.slice(0, -1) + alphabet[last | 1];
  assert.notEqual(spare, signature);
  assert.deepEqual(Buffer.from(spare, 'base64url'), Buffer.from(signature, 'base64url'));
  const notBase64 = malformed('signature: not base64url without padding');
  for (const other of [spare, `${signature}=`, `${signature} `, `${signature}\n`, `${signature.slice(0, -1)}+`, `${signature}\0`, `${signature}é`]) {
    assert.deepEqual(refused(`${header}.${payload}.${other}`), notBase64, JSON.stringify(other));
  }
  // A character whose low byte is that of the right one.
  const wide = String.fromCharCode(signature.charCodeAt(0) + 0x100) + signature.slice(1);
  assert.deepEqual(refused(`${header}.${payload}.${wide}`), notBase64);
  for (const other of [` ${token}`, `Bearer ${token}`]) {
    assert.deepEqual(refused(other), malformed('header: not base64url without padding'));
  }
  for (const other of [`${token}.`, `.${token}`, `${token}.${signature}`, '', '.', '..', '...']) assert.deepEqual(refused(other), THREE);
  assert.equal(hmac.verifySync(token).claims.jti, 'one');
});

test('crit and b64 in any form (RFC 7515 §4.1.11, RFC 7797)', () => {
  for (const header of [{ crit: ['exp'] }, { crit: [] }, { crit: null }, { b64: false, crit: ['b64'] }, { b64: true }]) {
    assert.deepEqual(refused(signHmac(CLAIMS, { secret, header })), CRITICAL);
  }
});

test('extreme numbers are numbers', () => {
  const claims = JSON.stringify({ ...CLAIMS, exp: undefined, iat: undefined }).slice(0, -1);
  const signed = (rest) => signHmac(`${claims},${rest}}`, { secret });
  for (const exp of ['1e308', '9223372036854775808', '18446744073709551616', '1800000001.5e0']) {
    const result = hmac.verifySync(signed(`"exp":${exp}`)).claims;
    assert.equal(result.exp, Number(exp));
  }
  for (const exp of ['-1e308', '-9223372036854775809', '0', '-0.0', '1e-308']) {
    assert.equal(refused(signed(`"exp":${exp}`)).code, 'TOKEN_EXPIRED', exp);
  }
  assert.deepEqual(refused(signed('"exp":1e999')), malformed('payload: not JSON'));
  assert.deepEqual(refused(signed('"exp":NaN')), malformed('payload: not JSON'));
  assert.equal(refused(signed('"exp":1e308,"nbf":1e308')).code, 'TOKEN_NOT_YET_VALID');
});

test('payloads that are no object, no JSON or no UTF-8', () => {
  for (const payload of ['[]', '"x"', 'null', '5', ' ', '']) {
    assert.deepEqual(refused(signHmac(payload, { secret })), malformed('payload: not a JSON object'));
  }
  assert.deepEqual(refused(signHmac('{', { secret })), malformed('payload: not JSON'));
  assert.deepEqual(refused(signHmac(`${JSON.stringify(CLAIMS)}x`, { secret })), malformed('payload: not JSON'));
  assert.deepEqual(refused(signHmac(Buffer.from('7b22ff223a317d', 'hex'), { secret })), malformed('payload: not UTF-8'));
});

test('huge and deeply nested tokens are refused in the time their length takes', () => {
  assert.deepEqual(refused('a'.repeat(8193)), {
    code: 'INVALID_TOKEN', reason: 'token_too_long', message: 'token has 8193 bytes, more than the 8192 allowed',
  });
  for (const text of ['é'.repeat(4097), '€'.repeat(9000), '\u{1f600}'.repeat(3000), '\u{1f600}'.repeat(5000)]) {
    assert.equal(refused(text).message, `token has ${Buffer.byteLength(text)} bytes, more than the 8192 allowed`);
  }
  const deep = signHmac(`${JSON.stringify(CLAIMS).slice(0, -1)},"x":${'['.repeat(2500)}${']'.repeat(2500)}}`, { secret });
  assert.deepEqual(refused(deep), malformed('payload: not JSON'));
  const started = process.hrtime.bigint();
  assert.equal(refused('a.'.repeat(10_000_000)).reason, 'token_too_long');
  assert.ok(process.hrtime.bigint() - started < 1_000_000_000n);
  assert.equal(hmac.verifySync(signHmac(CLAIMS, { secret })).claims.jti, 'one');
});

test('members named __proto__ and constructor are members', () => {
  const text = `${JSON.stringify(CLAIMS).slice(0, -1)},"__proto__":{"admin":true},"nested":{"__proto__":{"admin":true}},"constructor":1}`;
  const header = '{"alg":"HS256","__proto__":{"admin":true}}';
  const token = signHmac(text, { secret, header });
  for (const result of [hmac.verifySync(token), hmac.verifySync(token), hmac.verifySync(token)]) {
    for (const object of [result.claims, result.claims.nested, result.header]) {
      assert.ok(Object.hasOwn(object, '__proto__'));
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
      assert.equal(object.admin, undefined);
    }
    assert.deepEqual(JSON.stringify(result.claims), JSON.stringify(JSON.parse(text)));
  }
  assert.equal({}.admin, undefined);
  const decoded = decodeUnverified(token);
  assert.equal(Object.getPrototypeOf(decoded.payload), Object.prototype);
});

test('decodeUnverified reads what anybody wrote, and refuses what cannot be read', () => {
  const unsigned = `${base64url({ alg: 'none' })}.${base64url({ sub: 'zoë' })}.`;
  assert.deepEqual(decodeUnverified(unsigned), { header: { alg: 'none' }, payload: { sub: 'zoë' } });
  const decodeRefused = (token) => refusalOf(() => decodeUnverified(token), EdgegateError);
  assert.deepEqual(decodeRefused('a.b'), malformed('token: expected three segments'));
  assert.deepEqual(decodeRefused(5), malformed('token: expected a string'));
  assert.deepEqual(decodeRefused(`${base64url([])}.e30.`), malformed('header: not a JSON object'));
  assert.deepEqual(decodeRefused('e30.e3.'), malformed('payload: not JSON'));
  assert.deepEqual(decodeRefused('e30.e30=.'), malformed('payload: not base64url without padding'));
});
