import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EDGEGATE, LISTED } from '../edgegate.mjs';
import { installedEngines } from '../engines.mjs';
import { BY_PARAMETER, follow } from '../follow.mjs';
import { ORIGIN } from '../pages.mjs';
import { GOOD, returnUrls } from '../return-urls.mjs';
import { World } from '../world.mjs';

for (const engine of installedEngines()) {
  test(`${engine}: of a thousand return URLs none leads to another site`, async () => {
    const targets = [...GOOD, ...returnUrls()];
    assert.ok(targets.length >= 1000);
    const world = await World.open(engine, EDGEGATE);
    try {
      const { followed, left, ended } = await follow(world, targets, BY_PARAMETER.edgegate);
      assert.deepEqual(left, []);
      assert.equal(followed, targets.length);
      for (const good of GOOD) assert.equal(ended.get(good), new URL(good, good.startsWith('/') ? ORIGIN : LISTED).href, good);
    } finally {
      await world.close();
    }
  });
}
