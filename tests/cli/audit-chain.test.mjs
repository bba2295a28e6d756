// The chain of the audit, verified without a gate: each kind of change is found, and what is not found is said.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { checkpointsIn, hashOf, macOf, verifyChain } from '../../pkg/cli/audit-chain.js';

// Written by the Rust library (`src/watch/audit.rs`).
const { secret, entries, checkpoint } = JSON.parse(readFileSync(new URL('../vectors/audit-chain.json', import.meta.url), 'utf8'));

const problems = (changed, options) => verifyChain(changed, options).problems;
const changedAt = (index, changes) => entries.map((entry, at) => (at === index ? { ...entry, ...changes } : entry));
/** Somebody who can write to the storage does all of it again. */
function written(list) {
  let prev = list[0].prev;
  return list.map((entry) => {
    const anew = { ...entry, prev };
    anew.hash = hashOf(anew);
    prev = anew.hash;
    return anew;
  });
}

test('what the library has written holds, and so does its checkpoint', () => {
  assert.deepEqual(verifyChain(entries, { checkpoints: [checkpoint], secret }), {
    first: 1, last: entries.length, count: entries.length, checkpoints: 1, open: [], problems: [],
  });
  assert.equal(macOf(checkpoint, secret), checkpoint.mac);
  assert.deepEqual(problems(entries.slice(0, -1), { checkpoints: [checkpoint] }), [], 'the checkpoint is older than the last entry');
  assert.deepEqual(verifyChain([]), { first: undefined, last: undefined, count: 0, checkpoints: 0, open: [], problems: [] });
});

test('an entry that was changed is found, whatever of it was', () => {
  for (const [name, value] of Object.entries({ at: 1, actor: 'x', action: 'x', target: 'x', outcome: 'x', of: 5, hash: entries[0].hash, prev: entries[0].hash, seq: 17 })) {
    for (const index of entries.keys()) {
      if (entries[index][name] === value) continue;
      assert.notDeepEqual(problems(changedAt(index, { [name]: value })), [], `${name} of ${index}`);
    }
  }
});

test('a changed entry with a hash that fits does not fit the next', () => {
  const changed = { ...entries[2], actor: 'somebody-else' };
  assert.match(problems(changedAt(2, { ...changed, hash: hashOf(changed) })).join(), /entry 4 does not follow entry 3/);
});

test('an entry that was removed, put in or moved is found', () => {
  for (const index of entries.keys()) {
    if (index < entries.length - 1) assert.notDeepEqual(problems(entries.toSpliced(index, 1)), [], `without ${index}`);
    assert.notDeepEqual(problems(entries.toSpliced(index, 0, entries[index])), [], `twice ${index}`);
    if (index > 0) assert.notDeepEqual(problems(entries.toSpliced(index - 1, 2, entries[index], entries[index - 1])), [], `moved ${index}`);
  }
});

test('an end that is missing is found by a checkpoint, and by nothing else', () => {
  const cut = entries.slice(0, checkpoint.seq - 1);
  assert.deepEqual(problems(cut), []);
  assert.match(problems(cut, { checkpoints: [checkpoint] }).join(), /the end of the chain is missing/);
  assert.match(problems([], { checkpoints: [checkpoint] }).join(), /the end of the chain is missing/);
});

test('a chain that was written anew is found by a checkpoint, and by nothing else', () => {
  const anew = written(changedAt(1, { actor: 'somebody-else' }));
  assert.deepEqual(problems(anew), []);
  assert.match(problems(anew, { checkpoints: [checkpoint] }).join(), /was written anew/);
  const own = { ...checkpoint, hash: anew[checkpoint.seq - 1].hash };
  assert.deepEqual(problems(anew, { checkpoints: [own] }), [], 'a checkpoint that anybody can make shows nothing');
  assert.match(problems(anew, { checkpoints: [own], secret }).join(), /is not the gate's/);
});

test('a chain that was cut at its beginning has to say so, or a checkpoint knows it', () => {
  const later = entries.slice(3);
  assert.match(problems(later).join(), /its beginning is missing/);
  const cut = { ...entries.at(-1), seq: entries.length + 1, actor: 'gate', action: 'cut', target: '4', outcome: 'done', of: 0, prev: entries.at(-1).hash };
  cut.hash = hashOf(cut);
  assert.deepEqual(problems([...later, cut]), []);
  assert.match(problems([...entries.slice(4), cut]).join(), /its beginning is missing/);
  const administrators = { ...cut, actor: 'ci' };
  assert.match(problems([...later, { ...administrators, hash: hashOf(administrators) }]).join(), /its beginning is missing/);
  assert.deepEqual(problems(later, { checkpoints: [{ ...checkpoint, seq: 3, hash: entries[2].hash }] }), []);
  assert.match(problems(changedAt(0, { prev: entries[0].hash }).map((entry) => ({ ...entry, hash: hashOf(entry) }))).join(), /entry 1 is not the first/);
});

test('an act of which nothing says what came of it is told', () => {
  assert.deepEqual(verifyChain(entries.slice(0, 2)).open, [2]);
  assert.deepEqual(verifyChain(entries).open, []);
});

test('what is no entry is a fault, and no exception', () => {
  for (const other of [null, 7, [], {}, { ...entries[0], seq: '1' }, { ...entries[0], at: -1 }, { ...entries[0], note: 'unseen' }, { ...entries[0], seq: 1.5 }]) {
    assert.match(problems([other]).join(), /^line 1 /);
  }
});

test('checkpoints are found in logs, in webhooks and alone', () => {
  const alone = JSON.stringify(checkpoint);
  const line = `2026-01-01T00:00:00Z [worker] ${JSON.stringify({ event: 'checkpoint', ...checkpoint })}`;
  const webhook = JSON.stringify({ type: 'audit.checkpoint', timestamp: '…', data: { v: 1, id: 'x', event: 'checkpoint', n: 1, ...checkpoint } });
  const others = ['', 'no JSON', '{', JSON.stringify({ event: 'administered', ...checkpoint }), '{"seq":1}'];
  assert.deepEqual(checkpointsIn([alone, ...others, line, webhook].join('\n')), [checkpoint, checkpoint, checkpoint]);
});
