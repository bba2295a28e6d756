// What happens to people while they log in. Each scenario is `(world, person) => results of Person.finish`.

import { ORIGIN } from './pages.mjs';

const HOUR = 3600_000;

const inTurn = async (items, step) => {
  const results = [];
  for (const item of items) results.push(await step(item));
  return results;
};

/** Somebody who logs in without anything special, so that whatever is kept in memory is there. */
async function warm(world) {
  const other = await world.person();
  await other.finish(await other.begin('/private/warm'), '/private/warm');
  await other.profile.close();
}

export const SCENARIOS = {
  'two tabs': async (_, person) => {
    const tabs = await inTurn([1, 2], async (n) => [await person.begin(`/private/${n}`), `/private/${n}`]);
    return inTurn(tabs, ([tab, page]) => person.finish(tab, page));
  },
  'fifty tabs': async (_, person) => {
    const tabs = await inTurn(Array.from({ length: 50 }, (_unused, n) => n), async (n) => [await person.tab(`/private/${n}`), `/private/${n}`]);
    return inTurn(tabs.reverse(), ([tab, page]) => person.finish(tab, page));
  },
  'the first tab clears': async (world, person) => {
    const tabs = await inTurn([1, 2], async (n) => [await person.begin(`/private/${n}`), `/private/${n}`]);
    const [[first, page], [second, other]] = tabs;
    const results = [await person.finish(first, page)];
    await world.logOut(first);
    return [...results, await person.finish(second, other)];
  },
  'an hour later': async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.moveClocks(HOUR);
    return [await person.finish(tab, '/private/1')];
  },
  back: async (_, person) => {
    const tab = await person.begin('/private/1');
    const results = [await person.finish(tab, '/private/1')];
    await tab.back();
    await person.quiet();
    return [...results, await person.finish(tab, '/private/1')];
  },
  'reload after a lost answer': async (world, person) => {
    const tab = await person.begin('/private/1');
    world.front.losesCallback = true;
    return [await person.finish(tab, '/private/1')];
  },
  "bookmark of the provider's page": async (world, person) => {
    const bookmark = await (await person.begin('/private/1')).url();
    await world.moveClocks(24 * HOUR);
    // The next day, in a browser that was closed.
    const later = await world.person();
    return [await later.finish(await later.tab(bookmark), '/private/1')];
  },
  'cookies lost': async (_, person) => {
    const tab = await person.begin('/private/1');
    await (await person.tab('/__forget')).close();
    return [await person.finish(tab, '/private/1')];
  },
  'a service worker that fetches': async (_, person) => {
    const page = await person.tab('/__register');
    await person.waitFor(page, 'registered');
    const tab = await person.begin('/private/1');
    await page.evaluate(async () => {
      for (let n = 0; n < 3; n += 1) await fetch('/private/data', { headers: { Accept: 'application/json' } }).catch(() => {});
    });
    return [await person.finish(tab, '/private/1')];
  },
  'code used again': async (world, person) => {
    const tab = await person.begin('/private/1');
    const results = [await person.finish(tab, '/private/1')];
    // From the history of the browser.
    await tab.goto(new URL(world.front.callbacks[0], ORIGIN).href);
    return [...results, await person.finish(tab, '/private/1')];
  },
  'error of the provider': async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.provider.tell({ set: { error: 'temporarily_unavailable' } });
    return [await person.finish(tab, '/private/1')];
  },
  'consent denied': async (_, person) => [await person.finish(await person.begin('/private/1'), '/private/1', { first: '#deny' })],
  // The gate tolerates two minutes.
  'clock almost two minutes ahead': async (world, person) => {
    await world.moveItsClock(110_000);
    return [await person.finish(await person.begin('/private/1'), '/private/1')];
  },
  'clock almost two minutes behind': async (world, person) => {
    await world.moveItsClock(-110_000);
    return [await person.finish(await person.begin('/private/1'), '/private/1')];
  },
  "the provider's key changes": async (world, person) => {
    await warm(world);
    const tab = await person.begin('/private/1');
    await world.provider.tell({ keys: `key-${Date.now()}` });
    return [await person.finish(tab, '/private/1')];
  },
  'its own secret changes': async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.running.restart({ rotate: true });
    return [await person.finish(tab, '/private/1')];
  },
  deployment: async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.running.restart();
    return [await person.finish(tab, '/private/1')];
  },
  'provider slow': async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.provider.tell({ set: { tokenMillis: 8000 } });
    return [await person.finish(tab, '/private/1')];
  },
  'provider down, then back': async (world, person) => {
    const tab = await person.begin('/private/1');
    await world.provider.tell({ set: { tokenDown: true } });
    await person.press(tab, '#ok');
    await person.look(tab);
    await world.provider.tell({ set: { tokenDown: false } });
    return [await person.finish(tab, '/private/1')];
  },
};

/** One word for a scenario: how the person with the most trouble got there. */
export function verdict(results) {
  if (results.some(({ ok }) => !ok)) return 'dead end';
  const means = results.flatMap((result) => result.means);
  const worst = ['back', 'reload', 'button'].find((one) => means.includes(one)) ?? 'yes';
  return results.some(({ page }) => page !== 'wanted') ? `${worst}, another page` : worst;
}
