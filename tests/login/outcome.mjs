// What comes of a login at a provider that does one thing wrong.

import assert from 'node:assert/strict';

import { ORIGIN } from './gate.mjs';

/** Fails unless it is what is expected. Returns `in`, or the status and the code of the page. */
export async function outcome(gate, { id, expected, set, isSecondLogin, stolen }) {
  const provider = gate.providers[id];
  if (isSecondLogin) assert.equal((await gate.logIn(id)).seen, 'in');
  set(provider);
  const { userinfo } = provider.kind.paths;
  const asked = provider.count(userinfo);
  const { seen, tab, url, status, session } = await gate.logIn(id);
  const isIn = seen === 'in';
  if (expected === 'in') assert.ok(isIn, seen);
  if (expected === 'out') assert.ok(!isIn, 'somebody was let in');
  if (expected === 'unasked') assert.ok(!isIn || provider.count(userinfo) === asked, 'userinfo was asked, and not compared');
  if (stolen) assert.equal(provider.count(stolen), 0, 'a redirect was followed');
  if (isIn) {
    assert.ok(session.subject.startsWith(`${id}|`));
    return 'in';
  }
  // A page of the gate's own that says why, in few steps, and is no fault of the gate.
  assert.ok(url.startsWith(ORIGIN) || tab.trail.length === 1, url);
  assert.ok(status >= 400 && (status < 500 || seen.includes(' ')), `${status} ${seen}`);
  assert.ok(tab.trail.length <= 8, `${tab.trail.length} steps`);
  return seen.split(':')[0];
}
