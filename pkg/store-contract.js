// What a store has to do for a gate: `storeContract` of store-contract.d.ts. No test framework is needed, so that it runs in every runtime.

/** Names as a gate makes them, and characters that mean something to databases. */
const NAMES = ['deny/v1/token/a', 'deny/v1/token/A', 'key/v1/%_*?[a]\\:"\'', 'count/v1/é', 'count/v1/e\u0301', `key/v1/${'x'.repeat(400)}`];
/** Longer than whatever a gate keeps: a key set of 64 KiB, sealed. */
const LONG = 'ä{"k":1}\n'.repeat(10_000);
const AT_ONCE = 40;

const CASES = {
  'finds values in the order that was asked, each as often as asked': async (store) => {
    same(await store.get([]), [], 'get([])');
    same(await store.get(['a', 'b']), [null, null], 'get of what is not there');
    await store.put('a', 'one', {});
    await store.put('b', 'two', {});
    same(await store.get(['b', 'c', 'a', 'b']), ['two', null, 'one', 'two'], 'get');
  },

  'takes the last value that was written': async (store) => {
    for (const value of ['1', 'long'.repeat(100), '2']) await store.put('a', value, {});
    same(await store.get(['a']), ['2'], 'get');
  },

  'gives texts back as they were': async (store) => {
    const values = ['1', '01', 'null', '{"a": 1}', ' \u{1f512}\t', 'é', 'e\u0301', LONG];
    for (const [index, value] of values.entries()) await store.put(`a/${index}`, value, { ttlSecs: 3600 });
    same(await store.get(values.map((_, index) => `a/${index}`)), values, 'get');
  },

  'tells names apart, to the character': async (store) => {
    for (const [index, name] of NAMES.entries()) await store.put(name, `${index}`, {});
    same(await store.get(NAMES), NAMES.map((_, index) => `${index}`), 'get');
  },

  'removes, also what is not there': async (store) => {
    await store.put('a', '1', {});
    await store.put('ab', '2', {});
    await store.delete('a');
    await store.delete('a');
    same(await store.get(['a', 'ab']), [null, '2'], 'get after delete');
    same(await namesOf(store, 'a', 10), ['ab'], 'list after delete');
  },

  'lists what begins with a prefix, once each, in pages': async (store) => {
    const names = Array.from({ length: 25 }, (_, index) => `deny/v1/%_${String(index).padStart(2, '0')}`);
    for (const name of [...names, 'deny/v1/xx1', 'deny/v', 'DENY/v1/%_x', 'key/v1/a']) await store.put(name, '1', {});
    for (const limit of [1, 10, 25, 100]) same((await namesOf(store, 'deny/v1/%_', limit)).sort(), names, `list by ${limit}`);
    same(await namesOf(store, 'none/', 10), [], 'list of nothing');
  },

  'leaves nothing out of a listing while other names come and go': async (store) => {
    const stay = Array.from({ length: 12 }, (_, index) => `a/stays-${String(index).padStart(2, '0')}`);
    for (const name of stay) await store.put(name, '1', {});
    for (let index = 0; index < 6; index += 1) await store.put(`a/goes-${index}`, '1', {});
    let pages = 0;
    const found = await namesOf(store, 'a/', 3, async () => {
      await store.delete(`a/goes-${pages}`);
      await store.put(`a/comes-${pages}`, '1', {});
      pages += 1;
    });
    same(found.filter((name) => stay.includes(name)).sort(), stay, 'the names that were there all the time');
  },

  'keeps a value for its time': async (store) => {
    await store.put('a', '1', { ttlSecs: 3600 });
    // Longer than what many databases have room for.
    await store.put('b', '2', { ttlSecs: 315_360_000 });
    await store.put('c', '3', { ttlSecs: undefined });
    same(await store.get(['a', 'b', 'c']), ['1', '2', '3'], 'get');
  },
};

/** Of 12 that count at once one gets on each time, so that the last needs 12. A store that never swaps must not be asked for ever. */
const MAX_ATTEMPTS = 1000;

/** For stores with `compareAndSet`. */
const EXACT_CASES = {
  'swaps only what is expected, and says so': async (store) => {
    const swap = (...given) => store.compareAndSet('a', ...given, { ttlSecs: 3600 });
    same(await swap('0', '1'), false, 'a value expected where there is none');
    same(await store.get(['a']), [null], 'get');
    same(await swap(null, '1'), true, 'nothing expected where there is nothing');
    same(await swap(null, '2'), false, 'nothing expected where there is a value');
    same(await swap('2', '3'), false, 'another value expected');
    same(await store.get(['a']), ['1'], 'get');
    same(await swap('1', '2'), true, 'the value expected');
    same(await store.get(['a']), ['2'], 'get');
    await store.delete('a');
    same(await swap('2', '3'), false, 'a value expected that was removed');
  },

  'compares texts, to the character': async (store) => {
    for (const [there, expected] of [['1', '01'], ['a', 'A'], ['a', 'a '], ['é', 'e\u0301'], ['null', ''], ['x', '*']]) {
      await store.put('a', there, {});
      same(await store.compareAndSet('a', expected, 'other', {}), false, `${JSON.stringify(there)} is not ${JSON.stringify(expected)}`);
    }
    await store.put('a', LONG, {});
    same(await store.compareAndSet('a', LONG, '1', {}), true, 'a long text');
  },

  'lets one of many at once swap': async (store) => {
    for (const expected of [null, 'first']) {
      if (expected !== null) await store.put('a', expected, {});
      const swapped = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => store.compareAndSet('a', expected, `next-${index}`, { ttlSecs: 60 })));
      same(swapped.filter((one) => one === true).length, 1, 'how many of them have swapped');
      same(await store.get(['a']), [`next-${swapped.indexOf(true)}`], 'the value of the one that has');
    }
  },

  'loses no step of a counter that many count at once': async (store) => {
    const count = async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const [found] = await store.get(['count/v1/a']);
        const next = `${Number(found ?? 0) + 1}`;
        if (await store.compareAndSet('count/v1/a', found, next, { ttlSecs: 60 })) return;
      }
      throw new Error(`compareAndSet: swapped nothing in ${MAX_ATTEMPTS} attempts, each with the value that get had just answered`);
    };
    await Promise.all(Array.from({ length: 12 }, count));
    same(await store.get(['count/v1/a']), ['12'], 'get');
  },
};

/** Where time can be moved. */
const TIMED_CASES = {
  'forgets a value when its time is over': async (store, elapse) => {
    await store.put('a', '1', { ttlSecs: 3600 });
    await store.put('b', '2', { ttlSecs: 60 });
    await store.put('b', '3', {});
    await store.put('c', '4', {});
    await elapse(3601);
    same(await store.get(['a', 'b', 'c']), [null, '3', '4'], 'get');
    same((await namesOf(store, '', 10)).sort(), ['b', 'c'], 'list');
    if (typeof store.compareAndSet !== 'function') return;
    same(await store.compareAndSet('a', '1', '2', {}), false, 'a value expected whose time is over');
    same(await store.compareAndSet('a', null, '2', { ttlSecs: 60 }), true, 'nothing expected in its place');
    await elapse(61);
    same(await store.get(['a']), [null], 'get');
  },
};

/** `storeContract` of store-contract.d.ts. */
export function storeContract(make, { exact = true, elapse } = {}) {
  const cases = { ...CASES, ...(exact && EXACT_CASES), ...(elapse && TIMED_CASES) };
  return Object.entries(cases).map(([name, hold]) => ({
    name,
    run: async () => {
      const store = await make();
      if (exact && typeof store.compareAndSet !== 'function') throw new Error('compareAndSet: missing; say { exact: false } for a store without it');
      await hold(store, elapse);
    },
  }));
}

async function namesOf(store, prefix, limit, between = async () => {}) {
  const found = [];
  let cursor;
  do {
    const page = await store.list(prefix, { cursor, limit });
    if (page.keys.length > limit) throw new Error(`list: expected at most ${limit} names, found ${page.keys.length}`);
    found.push(...page.keys);
    ({ cursor } = page);
    await between();
  } while (cursor !== undefined);
  return found;
}

function same(found, expected, what) {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`${what}: expected ${shortened(other)}, found ${shortened(one)}`);
}

const shortened = (text = 'undefined') => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
