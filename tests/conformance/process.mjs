// The conformance suites in a process of any runtime, with the package's entry as argument. Jobs come in, one a line: a suite with its data,
// or a URL to fetch. What came of each goes out.

import { createInterface } from 'node:readline';

import { SUITES } from './suites.mjs';

const edgegate = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const { suite, data, ask } = JSON.parse(line);
  const answer = ask === undefined ? await SUITES[suite](edgegate, data) : (await fetch(ask)).status;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
