// `edgegate doctor`: is it ready for production?

import { existsSync } from 'node:fs';
import path from 'node:path';

import { Option } from 'commander';

import { secretIn } from '../ask.js';
import { readAttested } from '../doctor/attested.js';
import { STATES } from '../doctor/checklist.js';
import { toJunit } from '../doctor/junit.js';
import { toOcsf } from '../doctor/ocsf.js';
import { diagnose } from '../doctor/run.js';
import { toSarif } from '../doctor/sarif.js';
import { factsOfProject } from '../doctor/static.js';
import { COULD_NOT_RUN, REFUSED, misused } from '../failure.js';
import { Gate, gateOptions, located } from '../gate.js';
import { plain, result, say, style } from '../output.js';
import { findConfiguration, readProject } from '../project.js';
import { duration } from '../values.js';
import { value } from '../vars.js';

/** Nothing has failed, and with `--strict` there are warnings. */
const WARNED = 2;

const FORMATS = ['text', 'json', 'sarif', 'junit', 'ocsf'];

/** An alert fires within seconds, and is over after its window and `resolve_secs`. */
const WAIT_SECS = 60;

const ATTESTED = 'doctor.toml';
const CALLERS = 'callers.md';

export function doctor(program, { version }) {
  gateOptions(program.command('doctor')
    .description('is it ready for production? Each line of the production checklist: proven, and how; failed, and what to do; attested; or not to be known'))
    .option('--policy <file>', 'wrangler.toml, or a policy alone; the one in this folder by default')
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--probe', 'also make a key and a session, use and end them, and present wrong credentials until this address is blocked')
    .option('--receiver <port-or-url>', 'with --probe: listen here for the webhook of an alert, where a sink of the policy leads to')
    .option('--receiver-secret <file>', 'the secret of that sink; without it the one in .dev.vars')
    .option('--wait <time>', 'with --probe: how long an alert may take, and may take to end', duration, WAIT_SECS)
    .option('--callers <file>', `the page for callers that edgegate docs has written; ${CALLERS} beside the policy by default`)
    .option('--attested <file>', `what somebody answers for; ${ATTESTED} beside the policy by default`)
    .addOption(new Option('--format <form>', 'how findings are printed').choices(FORMATS))
    .option('--sarif', 'the same as --format sarif')
    .option('--strict', 'end with 2 if there are warnings')
    .action(async (options) => {
      const format = formatOf(options);
      const report = await asExamined(options, version);
      print(format, report, version);
      if (format === 'text') summary(report);
      if (report.summary.FAIL > 0) process.exitCode = REFUSED;
      else if (options.strict && report.findings.some(({ state }) => state === 'WARN')) process.exitCode = WARNED;
    });
}

/** `--json` and `--sarif` are short for two of them. */
function formatOf({ format, json, sarif }) {
  const meant = [...new Set([format, json && 'json', sarif && 'sarif'].filter(Boolean))];
  if (meant.length > 1) throw Object.assign(misused(`${meant.join(' and ')} cannot both be meant`), { exitCode: COULD_NOT_RUN });
  return meant[0] ?? 'text';
}

function print(format, report, version) {
  if (format === 'sarif') result({ json: true }, toSarif(report, version));
  else if (format === 'ocsf') result({ json: true }, toOcsf(report, version));
  else if (format === 'junit') result({}, report, toJunit);
  else result({ json: format === 'json' }, report, shown);
}

/** Whatever keeps it from running ends with a code of its own: 1 and 2 say what was found. */
async function asExamined(options, version) {
  try {
    return await examined(options, version);
  } catch (error) {
    error.exitCode = COULD_NOT_RUN;
    throw error;
  }
}

async function examined(options, version) {
  if (options.receiver !== undefined && !options.probe) throw misused('--receiver needs --probe');
  const gate = await gateOf(options);
  const project = projectOf(options, gate);
  const folder = project?.folder ?? process.cwd();
  const now = Date.now();
  const callers = options.callers ?? path.relative(process.cwd(), path.join(folder, CALLERS));
  const facts = project === undefined ? undefined : await factsOfProject(project, { env: options.env, callers, now });
  const attested = readAttested(options.attested ?? path.join(folder, ATTESTED), options.attested !== undefined);
  if (options.probe && gate?.administration === undefined) throw misused('--probe needs a gate and its administrator\'s secret', 'say --url and --token-file');
  return diagnose({ facts, attested, now, isProbe: options.probe, gate: gate && { ...gate, version, ...await receiving(options, facts) } });
}

/** Only a gate that was named is asked. */
async function gateOf(options) {
  const isNamed = options.url ?? options.profile ?? process.env.EDGEGATE_URL ?? process.env.EDGEGATE_PROFILE;
  if (isNamed === undefined) return undefined;
  const { url, token } = await located(options);
  return { url, administration: token === undefined ? undefined : new Gate(url, token.trim()) };
}

function projectOf({ policy, env }, gate) {
  if (policy !== undefined) return readProject(policy, env);
  const isHere = ['wrangler.json', 'wrangler.jsonc', 'wrangler.toml'].some((name) => existsSync(name));
  return gate !== undefined && !isHere ? undefined : readProject(path.relative(process.cwd(), findConfiguration(process.cwd())), env);
}

async function receiving({ receiver, receiverSecret, wait }, facts) {
  const named = facts?.policy.own.watch?.sinks?.find(({ kind }) => kind === 'webhook')?.secret;
  const known = receiverSecret === undefined ? named && value(facts.vars, named) : await secretIn('--receiver-secret', receiverSecret);
  return { receiver, receiverSecret: known, wait };
}

const COLOURS = { FAIL: 'red', WARN: 'yellow', UNKNOWN: 'magenta', ATTESTED: 'cyan', PASS: 'green', SKIP: 'dim' };
const WIDTH = Math.max(...STATES.map(({ length }) => length));

function shown({ lines, findings }) {
  let section;
  return lines.flatMap((line) => {
    const head = line.section === section ? [] : [...(section === undefined ? [] : ['']), line.section, ''];
    section = line.section;
    const own = findings.filter(({ id }) => id === line.id).flatMap(({ state, kind, path: at, evidence, fix }) => [
      `      ${otherwise(state, line)}${kind}: ${plain([at, evidence].filter(Boolean).join(': '))}`, ...(fix && state !== 'PASS' ? [`        fix: ${plain(fix)}`] : []),
    ]);
    return [...head, `  ${style(COLOURS[line.state], line.state.padEnd(WIDTH), process.stdout)}  ${line.line} [${line.id}]`, ...own];
  }).join('\n');
}

/** A finding that says something else than its line. */
const otherwise = (state, line) => (state === line.state ? '' : `${state}, `);

const SAID = { FAIL: 'failed', WARN: 'with a warning', UNKNOWN: 'unknown', ATTESTED: 'attested', PASS: 'proven', SKIP: 'not asked, or not of this policy' };

function summary({ lines }) {
  const counted = (some) => STATES.map((state) => [some.filter((one) => one.state === state).length, SAID[state]]).filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`).join(', ');
  const ofGuide = lines.filter(({ guide }) => guide);
  say(`the guide's ${ofGuide.length} lines: ${counted(ofGuide)}`);
  say(`beyond the guide: ${counted(lines.filter(({ guide }) => !guide))}`);
}
