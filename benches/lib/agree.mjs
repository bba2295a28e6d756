// Who does less is quicker: before a contestant is timed it has to give the right answers.

import assert from 'node:assert/strict';

import { badTokens, newToken } from './tokens.mjs';

/**
 * Fails unless the contestant gives the claims of a good token and refuses every bad one.
 *
 * @param {(token: string) => unknown} verify gives the claims; refuses by throwing
 * @param {string[]} only the kinds of bad tokens that a contestant without claims can know
 */
export async function assertVerifies(name, verify, key, only) {
  const good = newToken(key);
  const claims = JSON.parse(Buffer.from(good.split('.')[1], 'base64url'));
  const found = await verify(good);
  assert.deepEqual({ ...found }, claims, `${name} gives other claims`);
  await assertRefuses(name, verify, key, only);
}

export async function assertRefuses(name, verify, key, only) {
  for (const [fault, token] of Object.entries(badTokens(key))) {
    if (only !== undefined && !only.includes(fault)) continue;
    let accepted = true;
    try {
      await verify(token);
    } catch {
      accepted = false;
    }
    assert.ok(!accepted, `${name} accepts a token with ${fault}: nothing is compared`);
  }
}
