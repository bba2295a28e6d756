// Runs scenarios and prints what happened: `node tests/login-browsers/table.mjs [--engine E]... [--subject S]... [--scenario N]... [--json FILE]`.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { installedEngines } from './engines.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { SUBJECTS } from './subjects.mjs';
import { World } from './world.mjs';

const list = { type: 'string', multiple: true };
const { values: wanted } = parseArgs({ options: { engine: list, subject: list, scenario: list, json: { type: 'string' } } });
const isWanted = (kind, name) => wanted[kind] === undefined || wanted[kind].includes(name);

const found = wanted.json && existsSync(wanted.json) ? JSON.parse(readFileSync(wanted.json, 'utf8')) : {};
for (const subject of SUBJECTS.filter(({ name, isInstalled }) => isWanted('subject', name) && isInstalled())) {
  for (const engine of installedEngines().filter((name) => isWanted('engine', name))) {
    const world = await World.open(engine, subject);
    for (const scenario of Object.keys(SCENARIOS).filter((name) => isWanted('scenario', name))) {
      const result = await world.run(scenario);
      console.log(`${subject.name} | ${engine} | ${scenario} | ${result.verdict} | ${result.cookieBytes} | ${result.millis} ms | ${result.faults.join(' // ').slice(0, 200)}`);
      ((found[subject.name] ??= {})[engine] ??= {})[scenario] = result;
      if (wanted.json) writeFileSync(wanted.json, `${JSON.stringify(found, undefined, 1)}\n`);
    }
    await world.close();
  }
}
