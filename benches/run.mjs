// Measures the rows of the table and writes them as JSON: `node benches/run.mjs OUT [--quick] [--full] [--only ROW]…`.
//
// `cargo xtask bench` builds what is measured, runs this, and then `report.mjs`, which makes table, chart and document of it.

import { writeFileSync } from 'node:fs';

import { busyness, machine } from './lib/machine.mjs';
import { LEDGER_ROWS } from './rows/accounts-ledger.mjs';
import { ACCOUNT_ROWS } from './rows/accounts.mjs';
import { API_KEY_ROWS } from './rows/api-keys.mjs';
import { COLD_ROWS } from './rows/cold.mjs';
import { FRAMEWORK_ROWS } from './rows/frameworks.mjs';
import { GATE_NODE_ROWS } from './rows/gate-node.mjs';
import { GATE_ROWS } from './rows/gate.mjs';
import { NODE_ROWS } from './rows/node.mjs';
import { SESSION_ROWS } from './rows/session.mjs';
import { SIZE_ROWS } from './rows/size.mjs';
import { START_ROWS } from './rows/start.mjs';
import { WORKER_ROWS } from './rows/worker.mjs';
import { API_KEY_WORKERD, WORKERD_ROWS } from './rows/workerd.mjs';

const ROWS = [
  ...NODE_ROWS, ...WORKERD_ROWS, ...API_KEY_ROWS, API_KEY_WORKERD, ...START_ROWS, ...WORKER_ROWS, ...GATE_ROWS, ...COLD_ROWS,
  ...FRAMEWORK_ROWS, ...GATE_NODE_ROWS, ...SESSION_ROWS, ...ACCOUNT_ROWS, ...LEDGER_ROWS, ...SIZE_ROWS,
];

const [out, ...options] = process.argv.slice(2);
const quick = options.includes('--quick');
const full = options.includes('--full');
const only = options.flatMap((option, index) => (option === '--only' ? [options[index + 1]] : []));
const unknown = only.find((id) => !ROWS.some((row) => row.id === id));
if (unknown !== undefined) {
  console.error(`--only ${unknown}: expected one of ${ROWS.map(({ id }) => id).join(', ')}`);
  process.exit(1);
}

const context = {
  quick,
  /** For the compilers of V8 to be done, several thousand calls have to come before. */
  rounds: quick ? { rounds: 9, warmup: 15 } : { rounds: 51, warmup: 25 },
  scaled: (batch) => (quick ? Math.ceil(batch / 3) : batch),
  /** What has to be ended, whatever happens. */
  closing: [],
};

/** A row with `full` takes long, and is left out unless it is asked for. */
const isAskedFor = (row) => (only.length === 0 ? full || !row.full : only.includes(row.id));

/** Four digits: more would be noise, and make each run another text. */
const rounded = (_, value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value);

const rows = [];
const load = [busyness()];
try {
  for (const { id, about, run } of ROWS.filter(isAskedFor)) {
    const began = performance.now();
    const comparisons = await run(context);
    console.error(`  ${id}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    rows.push({ id, about, comparisons });
  }
} finally {
  for (const close of context.closing.reverse()) await close();
}
load.push(busyness());
writeFileSync(out, `${JSON.stringify({ whole: !quick && only.length === 0, machine: { ...machine(), load }, rows }, rounded, 2)}\n`);
