// edgegate beside jose, fast-jwt and jsonwebtoken: the same tokens to all four, and every disagreement explained.
//
// A run is a range of seeds. To try others: EDGEGATE_DIFFERENTIAL_SEED (where it begins) and EDGEGATE_DIFFERENTIAL_TOKENS (how
// many). EDGEGATE_DIFFERENTIAL_WRITE=1 writes what the standard run has counted into docs/differences.md.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { createSigner } from 'fast-jwt';
import * as jose from 'jose';
import jsonwebtoken from 'jsonwebtoken';

import { signJwt, signJwtSync } from '../../pkg/wasm/node.js';
import { HOLDS, disagreements, explain } from './classes.mjs';
import { AUDIENCE, ISSUER, MUTATION_NAMES, NOW, generate, signature } from './generate.mjs';
import { ALGORITHMS, isHmac, keyOf } from './keys.mjs';
import { document } from './table.mjs';
import { PEERS, verdicts } from './verifiers.mjs';

const STANDARD = { seed: 1, tokens: 5000 };
const number = (name, standard) => Number(process.env[`EDGEGATE_DIFFERENTIAL_${name}`] ?? standard);
const FIRST = number('SEED', STANDARD.seed);
const TOKENS = number('TOKENS', STANDARD.tokens);
const isStandard = FIRST === STANDARD.seed && TOKENS === STANDARD.tokens;

const classes = JSON.parse(readFileSync(new URL('disagreements.json', import.meta.url), 'utf8'));
const documentUrl = new URL('../../docs/differences.md', import.meta.url);

const shown = (token) => token.split('.').slice(0, 2).map((segment) => Buffer.from(segment, 'base64url').toString('latin1').slice(0, 600)).join('\n    ');

/** Printed for the person who has to explain it. */
const report = ({ seed, token, algorithm, rules, changes }, { peer, edgegate, says }) => `seed ${seed}: edgegate ${edgegate}, ${peer} does not; ${says}
  ${algorithm}, rules: ${rules}, changes: ${changes.join(' + ') || 'none'}
    ${shown(token)}
  ${token.slice(0, 2000)}
  again: EDGEGATE_DIFFERENTIAL_SEED=${seed} EDGEGATE_DIFFERENTIAL_TOKENS=1 node --test tests/differential/`;

async function run(list, first, count) {
  const found = { unexplained: [], counts: new Map(), accepted: 0, disagreed: 0, tried: new Set(), faults: [] };
  for (let seed = first; seed < first + count; seed += 1) {
    const token = generate(seed);
    token.changes.forEach((change) => found.tried.add(change));
    const all = await verdicts(token);
    if (all.edgegate.accepts) found.accepted += 1;
    else if (all.edgegate.error.name !== 'EdgegateError') found.faults.push(`seed ${seed}: ${all.edgegate.error.stack}`);
    const isHonest = token.changes.length === 0 && ['plain', 'tolerance'].includes(token.rules);
    if (isHonest && !all.edgegate.accepts) found.faults.push(`seed ${seed}: an honest token: ${all.edgegate.error.message}`);
    const differences = disagreements(all);
    if (differences.length > 0) found.disagreed += 1;
    for (const one of differences) {
      const explanation = explain(list, token, one);
      if (explanation === undefined) found.unexplained.push(report(token, one));
      else {
        const name = `${explanation.class} ${one.peer}`;
        found.counts.set(name, (found.counts.get(name) ?? 0) + 1);
      }
    }
  }
  return found;
}

describe(`seeds from ${FIRST}, ${TOKENS} of them`, () => {
  let found;
  before(async () => {
    found = await run(classes, FIRST, TOKENS);
  });

  test('every disagreement is explained', (t) => {
    assert.deepEqual(found.faults, []);
    assert.equal(found.unexplained.length, 0, `${found.unexplained.length} without an explanation:\n${found.unexplained.slice(0, 5).join('\n')}`);
    t.diagnostic(`${TOKENS} tokens, ${found.accepted} accepted by edgegate, ${found.disagreed} with a disagreement`);
    PEERS.forEach((peer) => {
      const count = [...found.counts].reduce((sum, [name, times]) => sum + (name.endsWith(` ${peer}`) ? times : 0), 0);
      t.diagnostic(`${peer}: ${count} disagreements`);
    });
  });

  test('every explanation is used, for each library it names', { skip: !isStandard && 'another run than the standard one' }, () => {
    const unused = classes.flatMap((one) => one.others.map((peer) => `${one.class} ${peer}`)).filter((name) => !found.counts.has(name));
    assert.deepEqual(unused, []);
  });

  test('every kind of change was tried', { skip: !isStandard && 'another run than the standard one' }, () => {
    assert.deepEqual(MUTATION_NAMES.filter((name) => !found.tried.has(name)), []);
    assert.ok(found.accepted > TOKENS / 10, `${found.accepted} of ${TOKENS} accepted`);
  });

  test('docs/differences.md says what was found', { skip: !isStandard && 'another run than the standard one' }, () => {
    const text = document(classes, found.counts, { tokens: TOKENS, accepted: found.accepted, disagreed: found.disagreed });
    if (process.env.EDGEGATE_DIFFERENTIAL_WRITE === '1') writeFileSync(documentUrl, text);
    assert.equal(readFileSync(documentUrl, 'utf8'), text, 'EDGEGATE_DIFFERENTIAL_WRITE=1 node --test tests/differential/ writes it');
  });
});

test('the explanations are whole, and each has its own class', () => {
  assert.deepEqual(classes.map((one) => one.class).sort(), Object.keys(HOLDS).sort());
  for (const one of classes) {
    assert.ok(one.others.length > 0 && one.others.every((peer) => PEERS.includes(peer)), one.class);
    assert.ok(['refuses', 'accepts', 'reads'].includes(one.edgegate) && one.what && one.why && typeof one.rfc === 'string', one.class);
  }
});

test('a disagreement without an explanation is found, and its seed gives it again', async () => {
  const lenient = classes.filter((one) => one.class !== 'claim-twice');
  const { unexplained } = await run(lenient, STANDARD.seed, 300);
  assert.ok(unexplained.length > 0 && unexplained.every((text) => /duplicate_member: payload/.test(text)), unexplained[0]);
  const seed = Number(/^seed (\d+)/.exec(unexplained[0])[1]);
  const again = await run(lenient, seed, 1);
  assert.ok(again.unexplained.length > 0);
  assert.deepEqual((await run(classes, seed, 1)).unexplained, []);
});

test('the token of a seed is the same every time', () => {
  for (let seed = 1; seed < 200; seed += 1) {
    const [one, two] = [generate(seed), generate(seed)];
    const random = one.algorithm.startsWith('PS') || one.algorithm.startsWith('ES');
    if (!random) assert.equal(one.token, two.token);
    assert.deepEqual(one.changes, two.changes);
  }
});

// ---- both directions ----

const CLAIMS = [
  { iss: ISSUER, aud: AUDIENCE, exp: NOW + 60 },
  { iss: ISSUER, aud: [AUDIENCE, 'x'], exp: NOW + 60, iat: NOW, nbf: NOW, sub: 'user|zoë', jti: '日本', scope: 'a b' },
  { iss: ISSUER, aud: AUDIENCE, exp: NOW + 1, iat: NOW - 1, a: { b: [1, 2.5, -3e-7, null, true, { c: '\u2028"\\' }] }, '': '', n: Number.MAX_SAFE_INTEGER },
];

/** A token by each library, for what it can sign. */
const SIGNERS = {
  jose: (algorithm, claims) => {
    const { privateKey } = keyOf(algorithm);
    const key = isHmac(algorithm) ? new Uint8Array(privateKey) : privateKey;
    return new jose.SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: 'k' }).sign(key);
  },
  'fast-jwt': (algorithm, claims) => {
    const { privateKey } = keyOf(algorithm);
    const key = isHmac(algorithm) ? privateKey : privateKey.export({ type: 'pkcs8', format: 'pem' });
    return createSigner({ key, algorithm, kid: 'k', noTimestamp: claims.iat === undefined })(claims);
  },
  jsonwebtoken: (algorithm, claims) => (algorithm === 'EdDSA'
    ? undefined : jsonwebtoken.sign(claims, keyOf(algorithm).privateKey, { algorithm, keyid: 'k', noTimestamp: claims.iat === undefined })),
};

for (const [peer, sign] of Object.entries(SIGNERS)) {
  test(`what ${peer} signs, edgegate verifies`, async () => {
    let verified = 0;
    for (const algorithm of ALGORITHMS) {
      for (const claims of CLAIMS) {
        const token = await sign(algorithm, claims);
        if (token === undefined) continue;
        const { edgegate } = await verdicts({ token, algorithm, rules: 'plain' });
        assert.ok(edgegate.accepts, `${algorithm}: ${edgegate.error?.message}`);
        assert.deepEqual(edgegate.claims, claims, algorithm);
        assert.equal(edgegate.header.kid, 'k');
        verified += 1;
      }
    }
    assert.equal(verified, (ALGORITHMS.length - (peer === 'jsonwebtoken' ? 1 : 0)) * CLAIMS.length);
  });
}

/** All four accept it and read the given claims. jsonwebtoken has no EdDSA. */
async function verifiedByAll(token, algorithm, claims) {
  for (const [name, verdict] of Object.entries(await verdicts({ token, algorithm, rules: 'plain' }))) {
    if (name === 'jsonwebtoken' && algorithm === 'EdDSA') continue;
    assert.ok(verdict.accepts, `${name}, ${algorithm}: ${verdict.error?.message}`);
    assert.deepEqual(verdict.claims, claims, `${name}, ${algorithm}`);
  }
}

test('what edgegate signs, all of them verify', async () => {
  for (const alg of ALGORITHMS) {
    const { privateKey } = keyOf(alg);
    for (const claims of CLAIMS) {
      const options = { alg, kid: 'k', issuedAt: false, now: () => NOW };
      for (const token of [await signJwt(claims, privateKey, options), signJwtSync(claims, privateKey, options)]) await verifiedByAll(token, alg, claims);
    }
  }
});

test('claims of every shape, signed by edgegate, are read alike by all of them', async () => {
  let signed = 0;
  for (let seed = 1; seed <= 1000; seed += 1) {
    const { token, changes, rules, algorithm } = generate(seed);
    if (changes.length > 0 || rules !== 'plain') continue;
    // JSON.stringify has no -0.
    const claims = JSON.parse(JSON.stringify(JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))));
    await verifiedByAll(await signJwt(claims, keyOf(algorithm).privateKey, { alg: algorithm, issuedAt: false, now: () => NOW }), algorithm, claims);
    signed += 1;
  }
  assert.ok(signed > 50, `${signed}`);
});

test('what is signed by the letter of RFC 7515, all of them verify', async () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const algorithm of ALGORITHMS) {
    for (const claims of CLAIMS) {
      const message = `${part({ alg: algorithm, typ: 'JWT' })}.${part(claims)}`;
      await verifiedByAll(`${message}.${signature(algorithm, message).toString('base64url')}`, algorithm, claims);
    }
  }
});
