// The cache of verified tokens: it answers faster, and never differently.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Cache } from '../../pkg/lib/cache.js';
import { clone } from '../../pkg/lib/clone.js';
import { EdgegateError, createVerifier } from '../../pkg/wasm/node.js';
import { CLAIMS, NOW, options, refusalOf, refusalOfPromise, secretFor, signHmac } from './support.mjs';

const secret = secretFor('HS256');
const sign = (claims = {}, header = {}) => signHmac({ ...CLAIMS, ...claims }, { secret, header });

/** A verifier whose clock is moved by the test. */
function clocked(rest) {
  const clock = { now: NOW };
  return { clock, verifier: createVerifier(options({ now: () => clock.now, ...rest })) };
}

describe('every hit checks the time again', () => {
  test('a token expires while it is cached, at exp and not before', async () => {
    const { clock, verifier } = clocked();
    const token = sign({ exp: NOW + 10 });
    assert.equal(verifier.verifySync(token).claims.exp, NOW + 10);
    clock.now = NOW + 9.9;
    assert.equal(verifier.verifySync(token).claims.exp, NOW + 10);
    clock.now = NOW + 10;
    const expired = {
      code: 'TOKEN_EXPIRED', reason: 'token_expired', claim: 'exp', message: `token expired at ${NOW + 10}, it is ${NOW + 10}`,
    };
    assert.deepEqual(refusalOf(() => verifier.verifySync(token), EdgegateError), expired);
    assert.deepEqual(await refusalOfPromise(verifier.verify(token), EdgegateError), expired);
  });

  test('with the tolerance', () => {
    const { clock, verifier } = clocked({ clockTolerance: 5 });
    const token = sign({ exp: NOW + 10 });
    verifier.verifySync(token);
    clock.now = NOW + 14;
    assert.equal(verifier.verifySync(token).claims.jti, 'one');
    clock.now = NOW + 15;
    assert.equal(refusalOf(() => verifier.verifySync(token), EdgegateError).code, 'TOKEN_EXPIRED');
  });

  test('with the greatest age', () => {
    const { clock, verifier } = clocked({ maxTokenAge: 60 });
    const token = sign({ iat: NOW, exp: NOW + 1000 });
    verifier.verifySync(token);
    clock.now = NOW + 60;
    assert.equal(verifier.verifySync(token).claims.jti, 'one');
    clock.now = NOW + 61;
    assert.equal(refusalOf(() => verifier.verifySync(token), EdgegateError).reason, 'token_too_old');
  });

  test('with the greatest age of the sign-in', () => {
    const { clock, verifier } = clocked({ maxAuthAge: 60 });
    const token = sign({ iat: NOW, auth_time: NOW, exp: NOW + 1000 });
    verifier.verifySync(token);
    clock.now = NOW + 60;
    assert.equal(verifier.verifySync(token).claims.jti, 'one');
    clock.now = NOW + 61;
    assert.equal(refusalOf(() => verifier.verifySync(token), EdgegateError).reason, 'authentication_too_old');
  });

  test('also when the clock goes back', () => {
    const { clock, verifier } = clocked();
    const token = sign({ nbf: NOW });
    verifier.verifySync(token);
    clock.now = NOW - 1;
    assert.equal(refusalOf(() => verifier.verifySync(token), EdgegateError).code, 'TOKEN_NOT_YET_VALID');
    clock.now = NOW;
    assert.equal(verifier.verifySync(token).claims.jti, 'one');
  });
});

test('no caller sees the changes of another', async () => {
  const { verifier } = clocked();
  const claims = { roles: ['user'], nested: { list: [{ a: 1 }] } };
  const token = sign(claims, { extra: { x: 1 } });
  for (let round = 0; round < 4; round += 1) {
    const result = round % 2 ? verifier.verifySync(token) : await verifier.verify(token);
    assert.deepEqual(result.claims, { ...CLAIMS, ...claims });
    assert.deepEqual(result.header, { alg: 'HS256', typ: 'JWT', extra: { x: 1 } });
    result.claims.sub = 'admin';
    result.claims.roles.push('admin');
    result.claims.nested.list[0].a = 2;
    result.header.extra.x = 2;
    result.header.alg = 'none';
    result.issuer = 'x';
  }
});

test('headers that repeat are parsed once and shared by nobody', () => {
  const { verifier } = clocked({ cache: false });
  for (let round = 0; round < 3; round += 1) {
    const { header } = verifier.verifySync(sign({ jti: `${round}` }, { list: [1] }));
    assert.deepEqual(header, { alg: 'HS256', typ: 'JWT', list: [1] });
    header.list.push(2);
  }
});

test('only the whole token is a hit', () => {
  const { verifier } = clocked();
  const token = sign();
  verifier.verifySync(token);
  const flipped = token.slice(0, -2) + (token.at(-2) === 'A' ? 'B' : 'A') + token.at(-1);
  assert.equal(refusalOf(() => verifier.verifySync(flipped), EdgegateError).reason, 'bad_signature');
  assert.equal(refusalOf(() => verifier.verifySync(`${token} `), EdgegateError).reason, 'malformed_token');
});

test('verifiers do not share what they have seen', () => {
  const token = sign();
  createVerifier(options()).verifySync(token);
  const other = createVerifier(options({ key: Buffer.alloc(32, 8) }));
  assert.equal(refusalOf(() => other.verifySync(token), EdgegateError).reason, 'bad_signature');
});

test('the number of entries is bounded, and tokens that are used often stay', () => {
  const entry = () => ({ text: '{}', header: {}, from: 0, until: 10 });
  for (const bound of [1, 2, 3, 10, 1000]) {
    const cache = new Cache(bound);
    for (let index = 0; index < 5 * bound + 5; index += 1) {
      cache.add(`token-${index}`, entry());
      assert.ok(cache.size <= bound, `${cache.size} of ${bound}`);
      assert.notEqual(cache.find(`token-${index}`, 5), undefined);
    }
  }
  const cache = new Cache(10);
  cache.add('hot', entry());
  for (let index = 0; index < 100; index += 1) {
    cache.add(`token-${index}`, entry());
    assert.notEqual(cache.find('hot', 5), undefined);
  }
  assert.equal(cache.find('token-0', 5), undefined);
  cache.clear();
  assert.equal(cache.size, 0);
  assert.equal(cache.find('hot', 5), undefined);
});

test('long tokens are bounded by their characters', () => {
  const cache = new Cache(1_000_000);
  const entry = () => ({ text: '{}', header: {}, from: 0, until: 10 });
  for (let index = 0; index < 40; index += 1) cache.add(`${'x'.repeat(1024 * 1024)}${index}`, entry());
  assert.ok(cache.size <= 8, `${cache.size}`);
});

test('tokens that end alike are told apart', () => {
  const cache = new Cache(10);
  const entry = (name) => ({ text: JSON.stringify({ name }), header: {}, from: 0, until: 10 });
  const [one, other] = ['one.', 'two.'].map((begin) => begin + 'x'.repeat(43));
  cache.add(one, entry('one'));
  assert.equal(cache.find(other, 5), undefined);
  assert.equal(cache.find(one, 5).claims.name, 'one');
  cache.add(other, entry('other'));
  assert.equal(cache.find(one, 5), undefined);
  assert.equal(cache.find(other, 5).claims.name, 'other');
  // This holds also for a token of the older generation.
  for (let index = 0; index < 5; index += 1) cache.add(`token-${index}`, entry(''));
  assert.equal(cache.find(one, 5), undefined);
  assert.equal(cache.find(other, 5).claims.name, 'other');
});

test('an expired entry is gone', () => {
  const cache = new Cache(10);
  cache.add('a', { text: '{}', header: {}, from: 0, until: 10 });
  assert.equal(cache.find('a', 10), undefined);
  assert.equal(cache.size, 0);
});

test('a clone is equal and shares nothing', () => {
  const value = JSON.parse('{"a":[1,{"b":null,"__proto__":{"c":1}}],"d":"x","e":{"f":{}}}');
  const copy = clone(value);
  assert.equal(JSON.stringify(copy), JSON.stringify(value));
  const objects = (one) => (typeof one === 'object' && one ? [one, ...Reflect.ownKeys(one).flatMap((name) => objects(Object.getOwnPropertyDescriptor(one, name).value))] : []);
  const shared = new Set(objects(value));
  assert.deepEqual(objects(copy).filter((one) => shared.has(one)), []);
});
