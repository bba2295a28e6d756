// The known attacks of `tests/conformance/attacks.mjs` on the built Worker itself, as far as HTTP can carry them.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { attackGroups } from '../conformance/attacks.mjs';
import { gateWorker, policy, start } from './harness.mjs';
import { nowSecs } from './token.mjs';

/** Some values cannot stand in a header, and the runtime itself may refuse longer ones. */
const isCarried = (token) => /^[\x21-\x7e]{1,16384}$/.test(token);

const NOW = nowSecs();
/** The Worker has the real clock: this second is over when the token arrives. */
const isOfNextSecond = (title) => title.includes(`${NOW + 1}`);

const lure = http.createServer((_, response) => {
  asked += 1;
  response.end('{"keys":[]}');
}).listen(0, '127.0.0.1');
let asked = 0;
await new Promise((resolve) => lure.once('listening', resolve));

const groups = attackGroups(`http://127.0.0.1:${lure.address().port}/`, NOW).filter(({ refused }) => refused.length > 0);
/** Returns a gate for each verifier that the groups need. */
const names = new Map();
const nameOf = ({ verifier }) => {
  const text = JSON.stringify(verifier);
  if (!names.has(text)) names.set(text, `gate-${names.size}`);
  return names.get(text);
};

function worker({ issuer, audience, algorithms, key }, name) {
  const jwk = key.secret === undefined ? key : { kty: 'oct', k: key.secret };
  return gateWorker({
    name,
    policy: policy({
      issuers: [{ issuer, audience: [audience], algorithms, jwks: { keys: [jwk] } }],
      api_keys: undefined, admin: undefined, limits: undefined, routes: undefined, revocation: undefined, failed_authentication: { enabled: false },
    }),
  });
}

let gate;
before(async () => {
  groups.forEach(nameOf);
  gate = await start([...names].map(([text, name]) => worker(JSON.parse(text), name)));
});

after(async () => {
  await gate?.dispose();
  lure.closeAllConnections();
  lure.close();
});

const ask = async (group, token) => {
  const answer = await gate.get('/x', { token, gate: nameOf(group) });
  return [answer.status, answer.status === 200 ? undefined : answer.json().code];
};

describe('the Worker', () => {
  for (const group of groups) {
    test(`${group.name} (${group.reference})`, async (t) => {
      assert.deepEqual(await ask(group, group.honest), [200, undefined], 'the honest token');
      let tried = 0;
      for (const { title, token, expected } of group.refused.filter((one) => isCarried(one.token) && !isOfNextSecond(one.title))) {
        assert.deepEqual(await ask(group, token), [401, expected.code], title);
        tried += 1;
      }
      for (const { title, token } of group.accepted.filter((one) => isCarried(one.token) && !isOfNextSecond(one.title))) {
        assert.deepEqual(await ask(group, token), [200, undefined], title);
        tried += 1;
      }
      assert.ok(tried > 0);
      assert.deepEqual(await ask(group, group.honest), [200, undefined], 'the honest token again');
      t.diagnostic(`${tried} tokens`);
    });
  }

  test('nobody was asked for keys', () => assert.equal(asked, 0));
});
