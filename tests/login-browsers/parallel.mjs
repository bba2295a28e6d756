// So many logins at once, in one browser.

/** Begins all of them, one tab each, then presses on in all of them. Returns how each ended, and the longest `Cookie` headers. */
export async function inParallel(world, count, atOnce = 8) {
  const person = await world.person();
  const tabs = Array.from({ length: count }, (_, n) => ({ path: `/private/${n}` }));
  const each = async (step) => {
    const rest = tabs.values();
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (const one of rest) await step(one);
    }));
  };
  await each(async (one) => {
    one.tab = await person.tab(one.path);
  });
  const under = world.front.cookieBytes;
  await each(async (one) => {
    one.result = await person.finish(one.tab, one.path);
    await one.tab.close();
  });
  return { results: tabs.map(({ result }) => result), underWay: under, afterwards: world.front.cookieBytes };
}
