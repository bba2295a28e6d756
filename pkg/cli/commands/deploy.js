// `edgegate deploy`: check, secrets, wrangler, health, first key.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

import { canAsk, secret } from '../ask.js';
import { Failure, REFUSED } from '../failure.js';
import { Gate, gateUrl } from '../gate.js';
import { done, plain, result, say, step, warn } from '../output.js';
import { examine, hasErrors } from '../policy-check.js';
import { readProfiles, saveProfile } from '../profiles.js';
import { findConfiguration, nameOfProject, policyObject, readProject } from '../project.js';
import { samplesOf } from '../samples.js';
import { newSecret } from '../secrets.js';
import { duration } from '../values.js';
import { run } from '../wrangler.js';
import { report } from './check.js';

/** A new host name takes a while to be known everywhere. */
const WAIT_SECS = 90;
const POLL_MILLIS = 2_000;

export function deploy(program) {
  program.command('deploy')
    .description('check the policy, put the secrets that are missing, deploy, wait until it is well, make a first key')
    .option('--dry-run', 'do all that needs no account: check, and build what would be uploaded')
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--url <url>', 'where the gate answers, if wrangler does not say')
    .option('--profile <name>', "under which name the gate's URL and secret are kept: the Worker's by default")
    .option('--wait <time>', 'how long to wait until it is well', duration, WAIT_SECS)
    .option('-y, --yes', 'ask nothing')
    .action(async (options) => {
      const project = readProject(findConfiguration(process.cwd()), options.env);
      const found = await examine(project, options.env);
      report(project, { ...found, missing: [] });
      if (hasErrors(found.findings)) throw new Failure('the policy is refused', { hint: 'nothing was deployed' });
      if (found.findings.some(({ example }) => example)) {
        throw new Failure('the policy still has names of a guide', { hint: 'tokens of somebody else would be taken: write your own names. Nothing was deployed' });
      }
      const wrangler = wranglerOf(project, options);
      if (options.dryRun) {
        await dryRun(wrangler, found, options);
        return;
      }
      const policy = policyObject(project);
      const name = options.profile ?? nameOfProject(project.folder, options.env) ?? 'default';
      const put = await putSecrets(wrangler, found, { ...options, admin: policy.admin?.secret, profile: name });
      step('wrangler deploy');
      const output = await wrangler(['deploy'], { quiet: true });
      say(output.trim());
      const url = gateUrl(options.url ?? urlOf(output, project), policy.auth_prefix);
      const { token, isNew } = keptSecret(name, url);
      if (isNew) done(`${url} and its administrator's secret are kept in ${saveProfile(name, { url, token })}, as the profile ${name}`);
      const isWell = await untilHealthy(url, options.wait);
      const wantsKey = isNew && policy.api_keys !== undefined;
      const key = isWell && wantsKey ? await firstKey(new Gate(url, token), policy) : undefined;
      if (!isWell || (wantsKey && key === undefined)) process.exitCode = REFUSED;
      result(options, { url, key, secrets: Object.keys(put), profile: token && name }, () => (key === undefined ? '' : plain(key)));
      if (!options.json && key) done('a first key, which is shown this once: npx edgegate keys list');
    });
}

const wranglerOf = (project, { env }) => ([command, ...parameters], how) => run(
  project.folder, [command, ...parameters, '--config', path.basename(project.file), ...(env === undefined ? [] : ['--env', env])], how,
);

async function dryRun(wrangler, { secrets, roles }, options) {
  step('wrangler deploy --dry-run');
  const output = await wrangler(['deploy', '--dry-run'], { quiet: options.json });
  const random = secrets.filter((name) => isOwn(roles, name));
  const asked = secrets.filter((name) => !isOwn(roles, name));
  result(options, { dryRun: true, secrets: { random, asked }, upload: /Total Upload: (.*)/.exec(output)?.[1] }, () => '');
  if (options.json) return;
  if (random.length > 0) say(`put where they are missing, with random values: ${random.join(', ')}`);
  if (asked.length > 0) say(`asked for where they are missing, since others know them too: ${asked.join(', ')}`);
  done('nothing was deployed');
}

/** Of a secret that is not known here somebody else may have to know it. */
const isOwn = (roles, name) => ['own', 'keys'].includes(roles.get(name)?.role);

/** Puts what is missing, through standard input, since others can see the command line. Returns what was put. */
async function putSecrets(wrangler, { secrets, roles }, options) {
  const there = await namesThere(wrangler);
  const missing = secrets.filter((name) => !there.includes(name));
  const values = {};
  // All are known before the first one is put.
  for (const name of missing) values[name] = isOwn(roles, name) ? newSecret(roles.get(name)) : await sharedSecret(name, options);
  // Before it is put: afterwards nobody could read it any more.
  if (values[options.admin] !== undefined) saveProfile(unusedName(options.profile), { token: values[options.admin] });
  for (const [name, value] of Object.entries(values)) {
    step(`wrangler secret put ${name}`);
    await wrangler(['secret', 'put', name], { input: value, quiet: true });
  }
  return values;
}

/** What wrangler says of a Worker that is not there yet, and the codes of Cloudflare for it. */
const NO_WORKER = /Worker "[^"]*"(?: \(env: [^)]*\))? not found|code: (?:10007|10090)\b/;

/** The names of the secrets that the deployed Worker has; none if it is not there yet. */
async function namesThere(wrangler) {
  let output;
  try {
    output = await wrangler(['secret', 'list', '--format', 'json'], { quiet: true });
  } catch (error) {
    if (NO_WORKER.test(error.message)) return [];
    throw error;
  }
  const from = output.indexOf('[');
  try {
    return JSON.parse(output.slice(from, output.lastIndexOf(']') + 1)).map(({ name }) => name);
  } catch {
    throw new Failure('wrangler secret list: what it answers cannot be read', { hint: 'a secret that is there would be overwritten, so nothing was done' });
  }
}

async function sharedSecret(name, options) {
  const hint = `others sign or authenticate with it, so no random value would do: npx wrangler secret put ${name}`;
  if (!canAsk(options)) throw new Failure(`the secret ${name} is missing`, { hint });
  return secret(`${name}, which others know too`, hint);
}

/** Its own host, or where wrangler says that the Worker is. Variables are in that output too, so a line is the Worker's URL alone. */
function urlOf(output, { configuration }) {
  const [host] = [configuration.routes, configuration.route].flat().filter(Boolean)
    .filter((route) => route.custom_domain).map(({ pattern }) => pattern);
  if (host !== undefined) return `https://${host}`;
  const [url, another] = new Set(output.split('\n').map((line) => stripVTControlCharacters(line).trim()).filter((line) => isOfWorker(line, configuration.name)));
  if (url === undefined || another !== undefined) throw new Failure('deployed, but wrangler does not say where', { hint: 'say --url https://…, and save the gate: npx edgegate profiles save' });
  return url;
}

const isOfWorker = (line, name) => {
  const [, found] = /^https:\/\/([a-z0-9_-]+)\.[a-z0-9-]+\.workers\.dev\/?$/.exec(line) ?? [];
  return found !== undefined && found === name;
};

/** The profile of another gate is not overwritten: its secret stands nowhere else. */
function unusedName(name) {
  if (readProfiles()[name]?.url === undefined) return name;
  throw new Failure(`there is a profile ${name} already`, {
    hint: `the Worker has no administrator's secret, so it is of another gate, or of one that was deleted: say --profile NAME, or npx edgegate profiles remove ${name}`,
  });
}

/** The administrator's secret of this gate, and whether it was put by a deployment that has not come to its end before. */
function keptSecret(name, url) {
  const profile = readProfiles()[name];
  const isNew = profile !== undefined && profile.url === undefined;
  return { token: isNew || profile?.url === url ? profile?.token : undefined, isNew };
}

async function untilHealthy(url, waitSecs) {
  step(`${url}/health`);
  const began = performance.now();
  for (;;) {
    const found = await healthOf(url);
    if (found === undefined) {
      done('it is well');
      return true;
    }
    if (performance.now() - began >= waitSecs * 1000) {
      warn(`deployed, and not well after ${waitSecs} s: ${found}. A new host name takes a while: npx edgegate keys mint makes a key later`);
      return false;
    }
    await sleep(POLL_MILLIS);
  }
}

/** Nothing if the gate is well, else what it answers. The status of HTTP is 200 also where something is wrong. */
async function healthOf(url) {
  try {
    const answer = await fetch(`${url}/health`, { redirect: 'manual', signal: AbortSignal.timeout(10_000) });
    const { status, bindings } = (await answer.json().catch(() => undefined)) ?? {};
    if (answer.status === 200 && status === 'ok') return undefined;
    const faults = Object.entries(bindings ?? {}).filter(([, state]) => ['failing', 'missing'].includes(state)).map(([name, state]) => `, ${name} is ${state}`).join('');
    return typeof status === 'string' ? `it answers ${answer.status} and is ${plain(status)}${plain(faults)}` : `it answers ${answer.status}, and not as a gate does`;
  } catch {
    return 'no answer';
  }
}

async function firstKey(gate, policy) {
  try {
    return (await gate.call('createKey', { name: 'first', owner: 'operator', scopes: samplesOf(policy).guarded?.scopes ?? [] })).key;
  } catch (error) {
    warn(`no first key: ${error.message}`);
    return undefined;
  }
}
