// Tokens that are bound to a key (RFC 9449), with proofs by jose, at the Worker itself and in forward-auth.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';

import { AUDIENCE, CODES, SECRETS, admitted, gateWorker, policy, refused, start, token } from './harness.mjs';
import { control, sharedObjects } from './stores.mjs';
import { nowSecs } from './token.mjs';

const HOST = 'api.example.com';
const STRICT = 'https://bound.test/';
const OFF = 'https://off.test/';
const keys = {
  ES256: await jose.generateKeyPair('ES256', { extractable: true }),
  EdDSA: await jose.generateKeyPair('EdDSA', { extractable: true }),
};

let gate;
let second;
before(async () => {
  const example = policy();
  const more = [[STRICT, 'required'], [OFF, 'off']].map(([issuer, dpop]) => ({
    issuer, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET', dpop,
  }));
  const once = policy({ dpop: { replays: 'durable-object' } });
  // Three isolates that remember proofs together: the objects are of the class of the first.
  const shared = ['second', 'third'].map((name) => ({ name, ...sharedObjects(`objects-of-${name}`, 'first') }));
  gate = await start([
    gateWorker({ policy: policy({ issuers: [...example.issuers, ...more] }), secrets: SECRETS }),
    gateWorker({ name: 'other', policy: policy() }),
    gateWorker({ name: 'front', policy: policy({ forward_auth: { origin: 'https://front.example' } }) }),
    gateWorker({ name: 'first', policy: once }),
    ...shared.map(({ name, worker }) => gateWorker({ name, policy: policy({ dpop: { replays: 'shared' } }), worker })),
    ...shared.map(({ binding }) => binding),
  ]);
  second = await control(gate, 'objects-of-second');
});
after(() => gate.dispose());

async function bound(algorithm, claims = {}) {
  return token({ ...claims, cnf: { jkt: await jose.calculateJwkThumbprint(await jose.exportJWK(keys[algorithm].publicKey)) } });
}

async function proofBy(algorithm, accessToken, claims = {}) {
  const jwk = await jose.exportJWK(keys[algorithm].publicKey);
  const ath = createHash('sha256').update(accessToken).digest('base64url');
  const whole = { jti: randomUUID(), htm: 'GET', htu: `http://${HOST}/v1/other`, iat: nowSecs(), ath, ...claims };
  return new jose.SignJWT(whole).setProtectedHeader({ typ: 'dpop+jwt', alg: algorithm, jwk }).sign(keys[algorithm].privateKey);
}

const ask = (scheme, accessToken, proof, { path = '/v1/other?page=2', headers = [], ...more } = {}) => gate.get(path, {
  ...more,
  headers: [['Authorization', `${scheme} ${accessToken}`], ...(proof ? [['DPoP', proof]] : []), ...headers],
});

function refusedAs(answer, error) {
  const { error: title } = answer.json();
  assert.deepEqual({ status: answer.status, title, code: answer.json().code }, { status: 401, title: CODES.INVALID_TOKEN[1], code: 'INVALID_TOKEN' });
  const algs = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA';
  assert.equal(answer.headers['www-authenticate'], `DPoP realm="edgegate", error="${error}", algs="${algs}"`);
}

for (const algorithm of ['ES256', 'EdDSA']) {
  test(`a token bound to a key of ${algorithm} is taken with its proof, once`, async () => {
    const accessToken = await bound(algorithm);
    const proof = await proofBy(algorithm, accessToken);
    admitted(await ask('DPoP', accessToken, proof));
    refusedAs(await ask('DPoP', accessToken, proof), 'invalid_dpop_proof');
    admitted(await ask('DPoP', accessToken, await proofBy(algorithm, accessToken)));
  });
}

test('it is not taken in any other way', async () => {
  const accessToken = await bound('ES256');
  refusedAs(await ask('Bearer', accessToken, await proofBy('ES256', accessToken)), 'invalid_token');
  refusedAs(await ask('DPoP', accessToken), 'invalid_dpop_proof');
  refusedAs(await ask('DPoP', accessToken, await proofBy('EdDSA', accessToken)), 'invalid_dpop_proof');
  refusedAs(await ask('DPoP', accessToken, await proofBy('ES256', accessToken, { htm: 'POST' })), 'invalid_dpop_proof');
  refusedAs(await ask('DPoP', accessToken, await proofBy('ES256', accessToken, { htu: `http://${HOST}/v1/posts` })), 'invalid_dpop_proof');
  refusedAs(await ask('DPoP', accessToken, await proofBy('ES256', accessToken, { htu: 'http://other.example/v1/other' })), 'invalid_dpop_proof');
  refusedAs(await ask('DPoP', accessToken, await proofBy('ES256', accessToken, { iat: nowSecs() - 90 })), 'invalid_dpop_proof');
  const [one, two] = [await proofBy('ES256', accessToken), await proofBy('ES256', accessToken)];
  refusedAs(await ask('DPoP', accessToken, one, { headers: [['DPoP', two]] }), 'invalid_dpop_proof');
});

test('an issuer may want every token bound, or leave that to the service behind', async () => {
  admitted(await ask('Bearer', token()));
  refusedAs(await ask('DPoP', token(), await proofBy('ES256', token())), 'invalid_token');
  refusedAs(await ask('Bearer', token({ iss: STRICT })), 'invalid_token');
  const strict = await bound('ES256', { iss: STRICT });
  admitted(await ask('DPoP', strict, await proofBy('ES256', strict)));
  const off = await bound('ES256', { iss: OFF });
  admitted(await ask('Bearer', off));
  admitted(await ask('DPoP', off));
});

describe('in forward-auth', () => {
  const forwarded = (accessToken, proof, more = [], name = 'front') => ask('DPoP', accessToken, proof, {
    gate: name, path: '/auth/verify', headers: [['X-Forwarded-Method', 'GET'], ['X-Forwarded-Uri', '/v1/other?page=2'], ...more],
  });

  test('the URL is that of the policy\'s origin', async () => {
    const accessToken = await bound('ES256');
    const htu = 'https://front.example/v1/other';
    assert.equal((await forwarded(accessToken, await proofBy('ES256', accessToken, { htu }))).status, 200);
    refusedAs(await forwarded(accessToken, await proofBy('ES256', accessToken)), 'invalid_dpop_proof');
  });

  test('a client does not choose it', async () => {
    const accessToken = await bound('ES256');
    const htu = 'https://evil.example/v1/other';
    const said = [
      ['X-Forwarded-Proto', 'https'], ['X-Forwarded-Host', 'evil.example'], ['Forwarded', 'host=evil.example;proto=https'],
      ['X-Original-Method', 'GET'], ['X-Original-URL', 'https://evil.example/v1/other?page=2'],
    ];
    refusedAs(await forwarded(accessToken, await proofBy('ES256', accessToken, { htu }), said), 'invalid_dpop_proof');
    const own = await proofBy('ES256', accessToken, { htu: 'https://front.example/v1/other' });
    assert.equal((await forwarded(accessToken, own, said)).status, 200);
  });

  test('without an origin no proof holds, whatever headers say, and the log says why', async () => {
    const accessToken = await bound('ES256');
    const from = gate.output.lines.length;
    for (const htu of ['https://front.example/v1/other', `http://${HOST}/v1/other`]) {
      const said = [['X-Forwarded-Proto', new URL(htu).protocol.slice(0, -1)], ['X-Forwarded-Host', new URL(htu).host]];
      refusedAs(await forwarded(accessToken, await proofBy('ES256', accessToken, { htu }), said, 'other'), 'invalid_dpop_proof');
    }
    const line = await gate.output.find((one) => one.includes('dpop_proof'), from);
    assert.match(line, /the URL of the request is not known; in forward-auth, forward_auth\.origin says it/);
  });
});

describe('several isolates', () => {
  const ISOLATES = ['first', 'second', 'third'];

  test('with a memory of their own each take a proof once', async () => {
    const accessToken = await bound('ES256');
    const proof = await proofBy('ES256', accessToken);
    for (const name of ['gate', 'other']) {
      admitted(await ask('DPoP', accessToken, proof, { gate: name }));
      refusedAs(await ask('DPoP', accessToken, proof, { gate: name }), 'invalid_dpop_proof');
    }
  });

  test('that share an object take a proof once of many at once', async () => {
    const accessToken = await bound('ES256');
    for (let turn = 0; turn < 3; turn += 1) {
      const proof = await proofBy('ES256', accessToken);
      const one = (_, index) => ask('DPoP', accessToken, proof, { gate: ISOLATES[index % 3] });
      const answers = await Promise.all(Array.from({ length: 60 }, one));
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
      for (const answer of answers) if (answer.status !== 200) refusedAs(answer, 'invalid_dpop_proof');
      for (const name of ISOLATES) refusedAs(await ask('DPoP', accessToken, proof, { gate: name }), 'invalid_dpop_proof');
    }
  });

  test('ask the object once for each valid proof, and never for another', async () => {
    const accessToken = await bound('EdDSA');
    const inSecond = async (proof) => ask('DPoP', accessToken, await proof, { gate: 'second' });
    const asked = await second.operationsDuring(async () => {
      admitted(await inSecond(proofBy('EdDSA', accessToken)));
      admitted(await inSecond(proofBy('EdDSA', accessToken)));
    });
    assert.equal(asked, 2);
    const vain = await second.operationsDuring(async () => {
      refusedAs(await inSecond(proofBy('ES256', accessToken)), 'invalid_dpop_proof');
      refusedAs(await inSecond(proofBy('EdDSA', accessToken, { htm: 'POST' })), 'invalid_dpop_proof');
      admitted(await gate.get('/v1/other', { token: token(), gate: 'second' }));
    });
    assert.equal(vain, 0);
  });

  for (const mode of ['fail', 'hang']) {
    test(`admit no proof while the object does not answer (${mode})`, async () => {
      const accessToken = await bound('ES256');
      const proof = await proofBy('ES256', accessToken);
      await second.set(mode);
      try {
        refused(await ask('DPoP', accessToken, proof, { gate: 'second' }), 'STORE_UNAVAILABLE');
        admitted(await gate.get('/v1/other', { token: token(), gate: 'second' }));
      } finally {
        await second.set('ok');
      }
      admitted(await ask('DPoP', accessToken, proof, { gate: 'second' }));
      refusedAs(await ask('DPoP', accessToken, proof, { gate: 'third' }), 'invalid_dpop_proof');
    });
  }
});
