// Load on a server, from a process of its own, and what the server's processor has spent on it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const CONNECTIONS = 16;
const GENERATOR = fileURLToPath(new URL('../worker/load-generator.mjs', import.meta.url));

/**
 * @param {{ port: number, clock?: () => number, requests: object[], spread?: boolean }} target `requests` and `spread` as in
 * `load-generator.mjs`; `clock` tells the processor time of the server
 * @returns what the generator prints, and `cpu`, the server's processor time for each request in µs
 */
export async function load({ port, clock, requests, spread }, seconds) {
  const generator = spawn(process.execPath, [GENERATOR], { stdio: ['pipe', 'pipe', 'inherit'] });
  const before = clock?.();
  generator.stdin.end(JSON.stringify({ port, seconds, connections: CONNECTIONS, requests, spread }));
  const result = JSON.parse(await new Response(generator.stdout).text());
  assert.equal(result.failed, 0, 'requests failed: nothing is compared');
  return { ...result, cpu: clock === undefined ? undefined : ((clock() - before) * 1000) / result.answered };
}

/** For the compilers of V8 to be done. On a busy machine that takes longer than a round. */
const WARM_REQUESTS = 5000;
const WARM_ROUNDS = 5;

async function warm(target, seconds) {
  let answered = 0;
  for (let round = 0; round < WARM_ROUNDS && answered < WARM_REQUESTS; round += 1) answered += (await load(target, seconds)).answered;
}

/**
 * Loads each contestant in each round, in an order that turns, and gives what was found of each, by its name.
 *
 * @param {object} options
 * @param {(contestant: object) => object} options.targetOf what `load` takes
 * @param {() => void} [options.beforeRound] prepares the work of a round, which is the same for all
 */
export async function loadRounds(contestants, { rounds, seconds, targetOf = (contestant) => contestant, beforeRound = () => {} }) {
  const found = new Map(contestants.map(({ name }) => [name, []]));
  beforeRound();
  for (const contestant of contestants) await warm(targetOf(contestant), seconds);
  for (let round = 0; round < rounds; round += 1) {
    beforeRound();
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      found.get(contestant.name).push(await load(targetOf(contestant), seconds));
    }
  }
  return found;
}
