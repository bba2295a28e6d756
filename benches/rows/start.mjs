// From a process that has just begun to its first verdict: what a serverless function or a command pays.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { atMost, compare } from '../lib/measure.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';
import { badTokens, newKey, newToken } from '../lib/tokens.mjs';

function run(name, token, secret) {
  const program = fileURLToPath(new URL(`../start/${name}.mjs`, import.meta.url));
  const began = performance.now();
  const printed = execFileSync(process.execPath, [program, token, secret, ISSUER, AUDIENCE], { stdio: ['ignore', 'pipe', 'pipe'] });
  return { process: performance.now() - began, ...JSON.parse(printed) };
}

async function start(context) {
  const key = newKey('HS256');
  const names = ['edgegate', 'jose'];
  const bad = badTokens(key)['a changed signature'];
  for (const name of names) {
    assert.throws(() => run(name, bad, key.secret), { status: 1 }, `${name} accepts a changed signature`);
  }
  const { rounds, warmup } = context.quick ? { rounds: 7, warmup: 1 } : { rounds: 41, warmup: 3 };
  const times = new Map(names.map((name) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    const token = newToken(key);
    const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const found = run(name, token, key.secret);
      assert.equal(found.sub, sub, name);
      if (round >= 0) times.get(name).push(found);
    }
  }
  const line = (what, label, target) => {
    const of = (name) => ({ name: `${name}, ${label}`, times: times.get(name).map((found) => found[what]) });
    return compare({ subject: of('edgegate'), peer: of('jose'), kind: 'time', target, unit: 'ms' });
  };
  return [line('process', 'whole process', atMost(1)), line('took', 'import to verdict', atMost(1))];
}

export const START_ROWS = [{ id: 'start', about: 'Start to first verdict in Node', run: start }];
