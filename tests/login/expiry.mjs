// So many requests at the moment at which a grant's token ends. The provider lets a refresh token be used once, and ends all that came of one
// that is used twice.

import assert from 'node:assert/strict';

import { isIn, refreshes, somebody, startWithGrants, uses } from './grants.mjs';

const LIFE_SECS = 600;

/** `delays`: how long the provider takes for fresh tokens, one run each. */
export async function expires(requests, delays) {
  const gate = await startWithGrants();
  const { corp } = gate.providers;
  corp.tamper.answer = (body) => ({ ...body, expires_in: LIFE_SECS });
  try {
    const ann = await somebody(gate, 'ann');
    for (const [run, delay] of delays.entries()) {
      corp.tamper.request = ({ path, form }) => {
        const isRefresh = path === corp.kind.paths.token && form.get('grant_type') === 'refresh_token';
        return isRefresh ? new Promise((resolve) => { setTimeout(resolve, delay); }) : undefined;
      };
      await gate.sessions.wait(LIFE_SECS);
      const before = refreshes(corp);
      const faults = await Promise.all(Array.from({ length: requests }, () => uses(ann)));
      assert.deepEqual(faults.filter(Boolean), [], `${delay} ms`);
      assert.equal(refreshes(corp) - before, 1, `${delay} ms: asked once`);
      assert.ok(isIn(ann.browser), `logged in after run ${run}`);
    }
  } finally {
    await gate.close();
  }
}
