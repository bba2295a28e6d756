// What is made of measurements.

import assert from 'node:assert/strict';
import test from 'node:test';

import { axis, chart, escape } from './chart.mjs';
import { outdated, unexplained, update } from './document.mjs';
import { isMet, loadOfOthers, number, read } from './results.mjs';
import { table } from './table.mjs';

/** One target that is met, one that is missed, and one line without. */
const EXAMPLE = {
  whole: true,
  machine: { cpu: 'Abacus <2>', cores: 2, date: '2026-01-02', node: '20.0.0', versions: { edgegate: '0.1.0', jose: '6.0.0' } },
  rows: [
    { id: 'hs256', about: 'HS256', comparisons: [
      { subject: 'verifySync', peer: 'jose', kind: 'speed', ratio: 12.5, quartiles: [12, 13.25], unit: 'µs', subject_value: 4, peer_value: 50, target: { at_least: 12 } },
      { subject: 'verifySync', peer: 'hono', kind: 'speed', ratio: 9, quartiles: [8, 10], unit: 'µs', subject_value: 4, peer_value: 36, target: null },
    ] },
    { id: 'size', about: 'Sizes', comparisons: [
      { subject: 'script', peer: 'its target', kind: 'size', ratio: 2, quartiles: null, unit: 'bytes', subject_value: 400_000, peer_value: 200_000, target: { at_most: 1 } },
    ] },
  ],
};
const BEGIN = '<!-- results: written by `cargo xtask bench` -->\n';
const END = '<!-- end of results -->\n';
const REASONS = '\n## Not met, and why\n';

test('a target is met up to and including its value', () => {
  assert.equal(isMet({ ratio: 12, target: { at_least: 12 } }), true);
  assert.equal(isMet({ ratio: 11.99, target: { at_least: 12 } }), false);
  assert.equal(isMet({ ratio: 1.15, target: { at_most: 1.15 } }), true);
  assert.equal(isMet({ ratio: 1.16, target: { at_most: 1.15 } }), false);
  assert.equal(isMet({ ratio: 1, target: null }), undefined);
});

test('a machine that does other work is told from one at rest', () => {
  assert.equal(loadOfOthers({ machine: { load: [8.4, 2] } }), 8.4);
  assert.equal(loadOfOthers({ machine: { load: [0.3, 2] } }), undefined);
  assert.equal(loadOfOthers(EXAMPLE), undefined);
});

test('a fault in the results is named', () => {
  const fault = (change) => {
    const results = structuredClone(EXAMPLE);
    change(results.rows[0].comparisons[1]);
    return () => read(JSON.stringify(results));
  };
  assert.throws(fault((one) => { one.ratio = null; }), { message: 'ratio: expected a number' });
  assert.throws(fault((one) => { one.kind = 'weight'; }), { message: 'kind: weight is none' });
  assert.throws(() => read('{}'), { message: 'whole: expected a bool' });
  assert.throws(() => read('x'), { message: 'the results are not JSON' });
  assert.deepEqual(read(JSON.stringify(EXAMPLE)), EXAMPLE);
});

test('numbers have the digits that mean something', () => {
  const numbers = [0.5, 9.876, 98.76, 987.6, 475_892, 1_234_567].map(number);
  assert.deepEqual(numbers, ['0.50', '9.88', '98.8', '988', '475,892', '1,234,567']);
});

test('the table says of each target whether it is met', () => {
  assert.equal(table(EXAMPLE), `\
HS256 [hs256]
  verifySync  jose        12.50× (12.00–13.25)  4.00 : 50.0 µs           ≥ 12×    met
  verifySync  hono        9.00× (8.00–10.00)    4.00 : 36.0 µs
Sizes [size]
  script      its target  2.00×                 400,000 : 200,000 bytes  ≤ 1×     not met
1 of 2 targets met`);
});

test('what is drawn is also said', () => {
  const drawn = chart(EXAMPLE);
  const description = "Times as fast as the peer: more is better. HS256, beside jose: 12.50×, wanted ≥ 12×, met. Part of the peer's time or of the size wanted: less is better. script: 2.00×, wanted ≤ 1×, not met.";
  assert.ok(drawn.includes(`<desc id="description">${description}</desc>`), drawn);
  // Without a target there is no bar.
  assert.equal(drawn.split('<rect ').length - 1, 2);
  assert.ok(!drawn.includes('hono'));
});

test('the axis is logarithmic', () => {
  const [low, middle, high] = [0.5, 1, 2].map(axis(0.5, 2));
  assert.equal(low, 400);
  assert.equal(high, 730);
  assert.ok(Math.abs(middle - low - (high - middle)) < 0.01);
});

test('names cannot break out of the text', () => {
  assert.equal(escape('a "b" <c> & d'), 'a &quot;b&quot; &lt;c&gt; &amp; d');
});

test('what is written by hand stays', () => {
  const document = `by hand\n${BEGIN}old\n${END}${REASONS}\n**\`size\`** It is large.\n`;
  const updated = update(document, EXAMPLE);
  assert.ok(updated.startsWith(`by hand\n${BEGIN}\nMeasured on 2026-01-02: `));
  assert.ok(updated.endsWith(`\n\n${END}${REASONS}\n**\`size\`** It is large.\n`));
  assert.ok(!updated.includes('old'));
  assert.ok(updated.includes('| verifySync | jose | 12.50× (12.00–13.25) | 4.00 : 50.0 µs | ≥ 12× | met |'));
  assert.equal(update(updated, EXAMPLE), updated);
});

test('a document without a place for results is refused', () => {
  assert.throws(() => update('by hand', EXAMPLE), { message: 'no line <!-- results: written by `cargo xtask bench` -->' });
  assert.throws(() => update(BEGIN, EXAMPLE), { message: 'no line <!-- end of results -->' });
});

test('a missed target wants a reason and a met one none', () => {
  assert.deepEqual(unexplained(REASONS, EXAMPLE), ['size']);
  const reasons = `${REASONS}\n**\`size\`** It is large.\n\n**\`hs256\`** It is slow.\n`;
  assert.deepEqual(unexplained(reasons, EXAMPLE), []);
  assert.deepEqual(outdated(reasons, EXAMPLE), ['hs256']);
});
