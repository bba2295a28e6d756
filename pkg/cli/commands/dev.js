// `edgegate dev`: the gate in the real runtime on this machine, with a token and a key to try it.

import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { Failure, REFUSED } from '../failure.js';
import { ask } from '../local.js';
import { startLocalProvider } from '../local-provider.js';
import { done, plain, result, say, step, warn } from '../output.js';
import { examine, hasErrors } from '../policy-check.js';
import { writePrivate } from '../private-file.js';
import { findConfiguration, policyObject, readProject, varsFile } from '../project.js';
import { samplesOf } from '../samples.js';
import { newSecret } from '../secrets.js';
import { readProfiles, saveProfile } from '../profiles.js';
import { issuersWithSecrets, mintToken } from '../tokens.js';
import { port as portOption } from '../values.js';
import { ensureVars, readVars, value } from '../vars.js';
import { start } from '../wrangler.js';
import { report } from './check.js';

const READY_MILLIS = 120_000;
const POLL_MILLIS = 150;
/** Lines of wrangler that are shown if it fails. */
const KEPT_LINES = 40;
/** By which `--profile dev` finds it. */
const PROFILE = 'dev';

export function dev(program) {
  program.command('dev')
    .description('run the gate here, on local stores; print a key, a token and lines to try it')
    .option('-p, --port <number>', 'where it listens', portOption, 8787)
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--login', 'a provider beside it, with which any name logs in (npm: oidc-provider)')
    .action(async (options) => {
      const project = readProject(findConfiguration(process.cwd()), options.env);
      const found = await examine(project, options.env);
      report(project, { ...found, missing: [] });
      if (hasErrors(found.findings)) throw new Failure('the policy is refused', { hint: 'nothing was started; npx edgegate check says the same' });
      const file = varsFile(project.folder, options.env);
      const { added } = ensureVars(file, found.secrets, (name) => newSecret(found.roles.get(name)));
      if (added.length > 0) done(`wrote random values for ${added.join(', ')} to ${path.basename(file)}`);
      await checkPort(options.port);
      await run(project, file, options);
    });
}

const checkPort = (port) => new Promise((resolve, reject) => {
  const probe = net.createServer();
  probe.once('error', (error) => reject(new Failure(
    error.code === 'EADDRINUSE' ? `port ${port} is taken` : `port ${port}: ${error.message}`,
    { hint: `another one: npx edgegate dev --port ${port + 1}` },
  )));
  probe.listen(port, '127.0.0.1', () => probe.close(resolve));
});

async function run(project, file, options) {
  const login = options.login && await startLocalProvider(project.folder, policyObject(project), options);
  step('starting wrangler');
  const env = options.env === undefined ? [] : ['--env', options.env];
  const parameters = ['dev', '--config', path.basename(project.file), '--ip', '127.0.0.1', '--port', String(options.port), '--show-interactive-dev-session=false', ...env, ...(login?.parameters ?? [])];
  const child = start(project.folder, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env: { FORCE_COLOR: '0' }, detached: process.platform !== 'win32' });
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      isStopped = true;
      stop(child);
    });
  }
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('exit', (code, signal) => resolve(code ?? signal)));
  const lines = watch(child);
  const tooEarly = ended.then((how) => { throw new Failure(`wrangler has ended with ${how}:\n${lines.kept()}`); });
  try {
    await Promise.race([untilHealthy(project, options, child, lines), tooEarly]);
    tooEarly.catch(() => { /* From now on it may. */ });
    await demo(project, file, options);
    lines.show();
    if ((await ended) !== 0 && !isStopped) process.exitCode = REFUSED;
  } catch (error) {
    stop(child);
    await ended;
    if (!isStopped) throw error;
  }
}

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

/** wrangler, and workerd which it has started. */
function stop(child) {
  if (hasEnded(child)) return;
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, 'SIGTERM');
  } catch { /* It has ended meanwhile. */ }
}

/** Keeps what wrangler prints until the gate is well, then shows what comes. */
function watch(child) {
  let shown = false;
  const kept = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (shown) say(line);
      else if (line.trim() !== '') kept.push(line);
    });
  }
  return { kept: () => kept.slice(-KEPT_LINES).join('\n'), show: () => { shown = true; } };
}

const prefixOf = (policy) => policy.auth_prefix ?? '/auth';

async function untilHealthy(project, { port }, child, lines) {
  const prefix = prefixOf(policyObject(project));
  const began = performance.now();
  let last = 'no answer';
  while (performance.now() - began < READY_MILLIS && !hasEnded(child)) {
    const answer = await ask(port, 'GET', `${prefix}/health`).catch(() => undefined);
    const health = answer?.status === 200 ? statusOf(answer.text) : undefined;
    // A store that fails may come; a binding that is missing does not.
    if (health === 'ok' || health === 'degraded') return;
    if (health === 'misconfigured') throw new Failure(`the gate is misconfigured: ${answer.text}\n${lines.kept()}`);
    if (answer !== undefined) last = `status ${answer.status}: ${answer.text}`;
    if (answer?.status === 500) throw new Failure(`the gate refuses its policy: ${answer.text}`);
    await sleep(POLL_MILLIS);
  }
  throw new Failure(`the gate is not well after ${READY_MILLIS / 1000} s: ${last}`);
}

/** `/health` answers 200 whatever the gate's state is. */
function statusOf(text) {
  try {
    return JSON.parse(text).status;
  } catch {
    return undefined;
  }
}

async function demo(project, file, options) {
  const policy = policyObject(project);
  const url = `http://127.0.0.1:${options.port}`;
  const vars = readVars(file);
  const samples = samplesOf(policy);
  const admin = policy.admin?.secret && value(vars, policy.admin.secret);
  const orNone = async (what, making) => making.catch((error) => warn(`no demo ${what}: ${error.message}`));
  const key = admin && policy.api_keys && (await orNone('key', demoKey(project, policy, samples, admin, options)));
  const token = await orNone('token', demoToken(policy, samples, admin, vars, options));
  const profile = admin && keepProfile(`${url}${prefixOf(policy)}`, admin);
  result(options, { url, key, token, profile }, () => '');
  if (!options.json) say(guide({ url, policy, samples, key, token, profile, login: options.login }));
}

/** Not in the place of a gate that is deployed. */
function keepProfile(url, token) {
  const known = readProfiles()[PROFILE];
  if (known !== undefined && !known.url?.startsWith('http://127.0.0.1:')) {
    warn(`there is a profile ${PROFILE} of ${known.url}, which stays`);
    return undefined;
  }
  saveProfile(PROFILE, { url, token });
  return PROFILE;
}

/** The key of the last start if the gate still takes it: restarts pile up none. */
async function demoKey(project, policy, samples, admin, { port }) {
  const file = path.join(project.folder, '.wrangler', 'edgegate-demo-key');
  const scopes = samples.guarded?.scopes ?? [];
  const [kept, keptScopes] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const header = policy.api_keys.header ?? 'X-API-Key';
  if (kept && keptScopes === scopes.join(' ') && (await ask(port, 'GET', samples.guarded?.path ?? '/', { [header]: kept })).status !== 401) return kept;
  const { key } = await administer(port, policy, admin, 'POST', '/keys', { name: 'demo', owner: 'demo', scopes });
  writePrivate(file, `${key}\n${scopes.join(' ')}\n`);
  return key;
}

/** Of the gate's own sessions, or of an issuer whose secret is here. Others sign by themselves. */
async function demoToken(policy, samples, admin, vars, { port }) {
  const scopes = samples.guarded?.scopes ?? [];
  if (admin && policy.sessions) return (await administer(port, policy, admin, 'POST', '/sessions', { subject: 'demo-user', scopes })).access_token;
  const [issuer] = issuersWithSecrets(policy);
  return issuer && mintToken(issuer, vars, { subject: 'demo-user', scopes, expiresIn: 3600 });
}

async function administer(port, policy, admin, method, target, body) {
  const headers = { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' };
  const { status, text } = await ask(port, method, `${prefixOf(policy)}/admin${target}`, headers, JSON.stringify(body));
  if (status !== 201) throw new Error(`${method} ${target}: status ${status}, ${text}`);
  return JSON.parse(text);
}

/** Lines to try it: each can be pasted into a shell as it stands. */
function guide({ url, policy, samples, key, token, profile, login }) {
  const header = policy.api_keys?.header ?? 'X-API-Key';
  const target = samples.guarded && word(url + samples.guarded.path);
  return `\n${[
    `edgegate answers on ${url}`,
    login && `Log in with a browser, by any name:\n  ${url}${prefixOf(policy)}/login${samples.guarded ? `?return_to=${encodeURIComponent(samples.guarded.path)}` : ''}`,
    token && `Demo token:\n  ${token}`,
    key && `Demo API key${samples.guarded?.scopes.length ? ` (${samples.guarded.scopes.join(' ')})` : ''}:\n  ${key}`,
    samples.open && `# an open route\ncurl -i ${word(url + samples.open)}`,
    target && `# no credential: 401\ncurl -i ${target}`,
    target && key && `# the key\ncurl -i -H ${word(`${header}: ${key}`)} ${target}`,
    target && token && `# the token\ncurl -i -H ${word(`Authorization: Bearer ${token}`)} ${target}`,
    `# is it well?\ncurl -i ${url}${prefixOf(policy)}/health`,
    profile && `# administration, in another terminal\nnpx edgegate keys list --profile ${profile}`,
    !token && policy.issuers?.length && `Tokens come from ${policy.issuers.map(({ issuer }) => plain(issuer)).join(', ')}: send one as Authorization: Bearer.`,
    'Ctrl-C stops it. Requests and events follow.',
  ].filter(Boolean).join('\n\n')}\n`;
}

/** A word of a shell command. */
const word = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
