// Logout tokens, as the adversary sends them, through the built Worker.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { LOGOUT_TOKENS } from '../support/providers/adversary.mjs';
import { LoginGate, ORIGIN } from './gate.mjs';

let gate;
before(async () => {
  gate = await LoginGate.start({ one: { kind: 'oidc' }, two: { kind: 'oidc' } });
});
after(() => gate.close());

const send = (token, id = 'one') => gate.gate.request('POST', `/auth/backchannel-logout/${id}`, {
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ logout_token: token }).toString(),
});

let people = 0;

/** Somebody new who has logged in, and what a logout token says of the session. */
async function loggedIn(id = 'one') {
  people += 1;
  const provider = gate.providers[id];
  provider.user = { ...provider.user, sub: `person-${people}` };
  const { browser, seen } = await gate.logIn(id);
  assert.equal(seen, 'in');
  return { browser, sub: provider.user.sub, sid: provider.lastSid };
}

/** Whether the session still counts: the request is one that a page makes. */
const isAlive = async (browser) => (await browser.send(`${ORIGIN}/auth/session`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' })).status === 200;

for (const { plan, name, expected, set } of LOGOUT_TOKENS) {
  test(`${plan}: ${name}`, async () => {
    const { browser, sub, sid } = await loggedIn();
    const { status, headers } = await send(gate.providers.one.logoutToken({ sub, sid }, set));
    assert.equal(status, expected === 'in' ? 200 : 400);
    assert.match(headers['cache-control'], /no-store/);
    assert.equal(await isAlive(browser), expected !== 'in');
  });
}

test('sid ends one session, sub alone all of them, and nobody else', async () => {
  const first = await loggedIn();
  const { browser: second } = await gate.logIn('one');
  const other = await loggedIn();
  gate.providers.one.user = { ...gate.providers.one.user, sub: first.sub };
  assert.equal((await send(gate.providers.one.logoutToken({ sid: first.sid }))).status, 200);
  assert.deepEqual([await isAlive(first.browser), await isAlive(second), await isAlive(other.browser)], [false, true, true]);
  assert.equal((await send(gate.providers.one.logoutToken({ sub: first.sub }))).status, 200);
  assert.deepEqual([await isAlive(second), await isAlive(other.browser)], [false, true]);
});

/** mod_auth_openidc 2026-08 */
test('a logout token counts once, and for its own provider', async () => {
  const { browser, sid, sub } = await loggedIn();
  const token = gate.providers.one.logoutToken({ sub, sid });
  assert.equal((await send(token, 'two')).status, 400);
  assert.equal(await isAlive(browser), true);
  assert.equal((await send(token)).status, 200);
  const { browser: again } = await gate.logIn('one');
  assert.equal((await send(token)).status, 400);
  assert.equal(await isAlive(again), true);
});
