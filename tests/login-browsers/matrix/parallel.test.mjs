import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EDGEGATE } from '../edgegate.mjs';
import { inParallel } from '../parallel.mjs';
import { World } from '../world.mjs';

test('chromium: 200 logins at once in one browser all succeed, and cookies stay small', async () => {
  const world = await World.open('chromium', EDGEGATE);
  try {
    const { results, underWay, afterwards } = await inParallel(world, 200);
    assert.deepEqual(results.filter(({ ok, means, page }) => !ok || means.length > 0 || page !== 'wanted'), []);
    assert.ok(underWay <= 60, `${underWay} bytes of cookies while all are under way`);
    assert.ok(afterwards <= 1200, `${afterwards} bytes afterwards`);
  } finally {
    await world.close();
  }
});
