import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EDGEGATE } from './edgegate.mjs';
import { describeSameSite } from './same-site.mjs';
import { World } from './world.mjs';

describeSameSite('chromium');

/** `cargo xtask test --full browsers` runs all scenarios, in three engines. */
test('two tabs log in, and so does somebody whose cookies are lost on the way', async () => {
  const world = await World.open('chromium', EDGEGATE);
  try {
    for (const scenario of ['two tabs', 'cookies lost']) {
      const { verdict, faults, cookieBytes } = await world.run(scenario);
      assert.equal(verdict, 'yes', `${scenario}: ${faults}`);
      assert.ok(cookieBytes <= 1200, `${cookieBytes}`);
    }
  } finally {
    await world.close();
  }
});
