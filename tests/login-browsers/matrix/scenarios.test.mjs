import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { EDGEGATE } from '../edgegate.mjs';
import { installedEngines } from '../engines.mjs';
import { SCENARIOS } from '../scenarios.mjs';
import { World } from '../world.mjs';

/** Where nothing but a page with the reason and a button is right. */
const BY_BUTTON = ['error of the provider', 'consent denied', 'provider down, then back'];

for (const engine of installedEngines()) {
  describe(`${engine}: whoever wants to log in gets to the page that was wanted`, () => {
    let world;
    before(async () => {
      world = await World.open(engine, EDGEGATE);
    });
    after(() => world?.close());

    for (const scenario of Object.keys(SCENARIOS)) {
      test(scenario, async () => {
        const { verdict, faults, pages, cookieBytes } = await world.run(scenario);
        assert.equal(verdict, BY_BUTTON.includes(scenario) ? 'button' : 'yes', `${pages}: ${faults.join(' / ')}`);
        assert.ok(cookieBytes <= 1200, `${cookieBytes} bytes of cookies`);
      });
    }
  });
}
