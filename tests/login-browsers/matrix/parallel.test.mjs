import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EDGEGATE } from '../edgegate.mjs';
import { inParallel } from '../parallel.mjs';
import { World } from '../world.mjs';

/** Logs in so often at once: all succeed, and cookies stay small. */
async function logsIn(count) {
  const world = await World.open('chromium', EDGEGATE);
  try {
    const { results, underWay, afterwards } = await inParallel(world, count);
    assert.deepEqual(results.filter(({ ok, means, page }) => !ok || means.length > 0 || page !== 'wanted'), []);
    assert.ok(underWay <= 60, `${underWay} bytes of cookies while all are under way`);
    assert.ok(afterwards <= 1200, `${afterwards} bytes afterwards`);
  } finally {
    await world.close();
  }
}

test('chromium: 30 logins at once in one browser all succeed', () => logsIn(30));

test('chromium: 200 logins at once in one browser all succeed', () => logsIn(200));
