// The rules of Prometheus and the board of Grafana in docs/watch/: whatever they ask for is in the metrics of a gate. What they do in the
// real programs is tested by `cargo xtask test --full monitoring`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { ROOT, SECRETS, policy, startGate, token } from './harness.mjs';
import { nowSecs } from './token.mjs';

const file = (name) => path.join(ROOT, 'docs/watch', name);
const board = JSON.parse(readFileSync(file('grafana-board.json'), 'utf8'));
const rules = readFileSync(file('prometheus-rules.yml'), 'utf8');

/** Names of metrics, with the labels that each is asked for. */
function asked(expression) {
  return [...expression.matchAll(/\b(edgegate_\w+)(?:\{([^}]*)\})?/g)].map(([, name, labels = '']) => [
    name, [...labels.matchAll(/(\w+)\s*(?:=~|!=|=)/g)].map(([, label]) => label),
  ]);
}

let gate;
let metrics;
before(async () => {
  gate = await startGate({ policy: policy({ watch: {} }) });
  for (const claims of [{}, { exp: nowSecs() - 600 }]) await gate.get('/v1/other', { token: token(claims) });
  await gate.get('/v1/other', { token: token({}, { secret: 'x'.repeat(32) }) });
  await gate.get('/v1/other');
  await gate.admin('GET', '/watch');
  metrics = (await gate.get('/auth/metrics', { token: SECRETS.ADMIN_TOKEN })).text;
});
after(() => gate?.dispose());

describe('every metric that is asked for is told, with these labels', () => {
  const expressions = [
    ...board.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`the panel ${title}`, expr])),
    ['the rules', rules],
  ];
  for (const [what, expression] of expressions) {
    test(what, () => {
      const all = asked(expression);
      assert.ok(all.length > 0, expression);
      for (const [name, labels] of all) {
        const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
        assert.ok(lines.length > 0, `${name} is no metric`);
        for (const label of labels) assert.ok(lines.some((line) => line.includes(`${label}="`)), `${name} has no label ${label}`);
      }
      for (const [, labels] of expression.matchAll(/sum by \(([^)]+)\)/g)) {
        for (const label of labels.split(', ')) assert.ok(metrics.includes(`${label}="`), `no metric has the label ${label}`);
      }
    });
  }
});

describe('the board of Grafana', () => {
  test('is whole: each panel with a place of its own, a source that is chosen, and a query', () => {
    assert.deepEqual([board.title, board.uid, board.templating.list[0].type], ['edgegate', 'edgegate', 'datasource']);
    const taken = new Set();
    for (const { id, type, title, targets, datasource, gridPos: { x, y, w, h } } of board.panels) {
      assert.ok(Number.isInteger(id) && title && ['stat', 'timeseries', 'table'].includes(type));
      assert.ok(x + w <= 24, title);
      for (let column = x; column < x + w; column += 1) {
        for (let row = y; row < y + h; row += 1) {
          assert.ok(!taken.has(`${column} ${row}`), `${title} lies over another`);
          taken.add(`${column} ${row}`);
        }
      }
      for (const target of targets) assert.deepEqual([target.datasource, datasource], [datasource, { type: 'prometheus', uid: '${datasource}' }]);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length);
    }
    assert.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length);
  });
});

const promtool = [process.env.PROMTOOL, '/usr/bin/promtool'].find((one) => one && existsSync(one));
test('promtool takes the rules', { skip: promtool === undefined && 'promtool is not installed' }, () => {
  const { status, stderr } = spawnSync(promtool, ['check', 'rules', file('prometheus-rules.yml')], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
