// Builds fuzz targets and runs them, as many at a time as there are cores: `node fuzz/run.mjs HOST SECONDS [TARGET]...`.
//
// `cargo xtask fuzz` calls it, with cargo-fuzz and a nightly toolchain for HOST. What a run learns stays in `fuzz/corpus/`, what
// it finds in `fuzz/artifacts/`; neither is committed.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { seeds } from './seeds.mjs';
import { select } from './targets.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const corpus = (target) => path.join(ROOT, 'fuzz/corpus', target);

/** An input that takes longer is a finding. The slowest honest one, an RSA key of 16384 bits, takes 0.1 s. */
const INPUT_SECONDS = 10;
/** Memory beyond this is a finding. */
const MEMORY_MB = 1024;
/** The corpus is read before the clock of a run starts; this may take as long. */
const START_SECONDS = 5 * 60;
/** The last lines of a target's output. A finding is described at the end. */
const SHOWN_LINES = 60;

function seed() {
  const folder = path.join(ROOT, 'tests/vectors');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json')).sort();
  seeds(files.map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')))).forEach(([target, input], number) => {
    mkdirSync(corpus(target), { recursive: true });
    writeFileSync(path.join(corpus(target), `vector-${String(number).padStart(3, '0')}`), input);
  });
}

/** Builds the targets, which takes two minutes on two cores. Returns the folder of the programs. */
function build(host) {
  // The gate has no unsafe code, so no sanitizer: it would halve the executions to watch the dependencies.
  const { status } = spawnSync('cargo', ['fuzz', 'build', '--sanitizer', 'none', '--target', host, '--target-dir', path.join(ROOT, 'fuzz/target')], {
    cwd: ROOT, stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the fuzz targets do not compile');
  return path.join(ROOT, 'fuzz/target', host, 'release');
}

/** Returns the executions of the target; `undefined` if it found something. */
async function run(folder, target, seconds) {
  const artifacts = path.join(ROOT, 'fuzz/artifacts', target);
  for (const needed of [artifacts, corpus(target)]) mkdirSync(needed, { recursive: true });
  const own = path.join(ROOT, 'fuzz/seeds', target);
  const child = spawn(path.join(folder, target), [
    // The first folder is the one that is written to.
    corpus(target), ...(existsSync(own) ? [own] : []),
    `-max_total_time=${seconds}`, `-timeout=${INPUT_SECONDS}`, `-rss_limit_mb=${MEMORY_MB}`, `-artifact_prefix=${artifacts}/`, '-print_final_stats=1',
  ], {
    // Otherwise the frames of libFuzzer stand where the message should be.
    env: { ...process.env, RUST_BACKTRACE: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: (START_SECONDS + seconds) * 1000,
  });
  const tail = [];
  let executions = 0;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      executions = Number(/^stat::number_of_executed_units:\s*(\d+)/.exec(line)?.[1] ?? executions);
      tail.push(line);
      if (tail.length > SHOWN_LINES) tail.shift();
    });
  }
  const status = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  if (status === 0) {
    console.error(`${target}: ${executions} executions`);
    return executions;
  }
  console.error([`error: ${target}: ${status}`, ...tail.map((line) => `  ${line}`)].join('\n'));
  return undefined;
}

process.on('uncaughtException', (error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
const [host, seconds, ...only] = process.argv.slice(2);
const targets = select(only);
const folder = build(host);
seed();
const left = [...targets];
const found = [];
let total = 0;
await Promise.all(Array.from({ length: os.availableParallelism() }, async () => {
  for (let target = left.shift(); target !== undefined; target = left.shift()) {
    const executions = await run(folder, target, Number(seconds));
    if (executions === undefined) found.push(target);
    total += executions ?? 0;
  }
}));
if (found.length > 0) {
  console.error(`found something in ${found.join(', ')}: the input is in fuzz/artifacts/`);
  process.exitCode = 1;
} else {
  console.error(`${targets.length} targets, ${total} executions, nothing found`);
}
