// `edgegate test`: what a policy has to admit and refuse, as tests.

import { InvalidArgumentError } from 'commander';

import { REFUSED, misused } from '../failure.js';
import { done, plain, result, say, style } from '../output.js';
import { coverage, mutation } from '../policy-coverage.js';
import { failureLine, perform, readTests, stage } from '../policy-tests.js';

export function test(program) {
  program.command('test <files...>')
    .description('run tests of a policy, in files of TOML or JSON: requests, and what has to become of them. Nothing is asked over the network')
    .option('--policy <file>', 'this policy in place of the one that the file names')
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--fail-under <percent>', 'fail if less of the routes and rules is reached', percent)
    .option('--mutants [percent]', 'change the policy bit by bit and see which changes no test notices; fail if fewer are noticed', (text) => percent(text))
    .action(async (files, options) => {
      const reports = [];
      for (const file of files) reports.push(await run(file, options));
      result(options, { ok: reports.every(({ ok }) => ok), files: reports.map(toJson) }, () => '');
      if (!options.json) for (const report of reports) tell(report, options);
      if (!reports.every(({ ok }) => ok)) process.exitCode = REFUSED;
    });
}

function percent(text) {
  const number = Number(text);
  if (!/^\d{1,3}$/.test(text) || number > 100) throw new InvalidArgumentError('Expected 0 to 100.');
  return number;
}

async function run(file, options) {
  const tests = readTests(file, options);
  const staged = await staging(tests);
  const cases = await perform(tests, staged);
  const reached = coverage(tests.policy, cases);
  const failed = cases.filter(({ ok }) => !ok);
  // A test that fails anyway notices everything.
  const mutants = options.mutants === undefined || failed.length > 0 ? undefined : await mutation(tests, staged);
  const tooFew = reached.percent < (options.failUnder ?? 0) || (mutants?.percent ?? 100) < (Number.isInteger(options.mutants) ? options.mutants : 0);
  return { file, policy: tests.project.file, cases, failed, coverage: reached, mutants, ok: failed.length === 0 && !tooFew };
}

async function staging(tests) {
  try {
    return await stage(tests);
  } catch (error) {
    if (error.code !== 'CONFIG_ERROR') throw error;
    throw misused(`${tests.project.file}: ${error.message.replace(/^configuration: /, '')}`, 'npx edgegate check says more');
  }
}

const toJson = ({ file, policy, ok, cases, coverage: reached, mutants }) => ({
  file, policy, ok,
  cases: cases.map(({ place, name, text, caller, ok: holds, wrong, found }) => ({ place, name, request: text, caller, ok: holds, ...(wrong.length > 0 && { wrong }), ...found })),
  coverage: reached, mutants,
});

function tell({ file, cases, failed, coverage: { percent: reached, points, missing, codes }, mutants }, options) {
  for (const one of failed) say(plainLines(failureLine(one)), style('red', '✗'));
  const counted = `${file}: ${cases.length - failed.length} of ${cases.length} cases hold`;
  if (failed.length === 0) done(counted);
  else say(counted);
  say(`${reached} % of ${points} routes and rules are reached; codes: ${codes.join(', ') || 'none'}`, style(reached < (options.failUnder ?? 0) ? 'red' : 'dim', 'coverage:'));
  for (const point of missing) say(`    ${plain(point)}: ${lacking(point)}`);
  if (mutants === undefined) return;
  say(`${mutants.noticed} of ${mutants.total} changes of the policy are noticed (${mutants.percent} %)`, style('dim', 'mutants:'));
  for (const survivor of mutants.survivors) say(`    ${plain(survivor)}: no test fails`);
}

const lacking = (point) => (point === 'no route' ? 'no case asks for a path of no route' : point.includes('.') ? 'never refuses' : 'nothing is admitted there');

const plainLines = (text) => text.split('\n').map(plain).join('\n');
