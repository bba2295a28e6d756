// What is beside the policy: wrangler's configuration, `.dev.vars`, what git has; and what the policy says beyond the guide.

import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

import { varsFile } from '../project.js';
import { weaknesses } from '../secrets.js';
import { value } from '../vars.js';
import { fail, pass, skip, unknown, warn } from './checklist.js';
import { list, needsCredential, upstreamsOf } from './policy-facts.js';
import { isNamedSecret, secretsIn } from './secret-shapes.js';

/** What a secret has to be worth. RFC 7518 §3.2 counts bytes; a phrase has fewer bits than bytes. */
const BITS = 128;
const DAY_MILLIS = 86_400_000;
const YEAR_DAYS = 365;
const PUBLIC_METHODS = ['GET', 'HEAD', 'OPTIONS'];
const PLATFORM_HEADER = 'cf-connecting-ip';

export const PROJECT = {
  secrets: (facts) => {
    const found = [...inVariables(facts), ...inPolicy(facts), ...inText(facts), ...inGit(facts), ...readable(facts), ...shared(facts)];
    return found.length > 0 ? found : pass(`the policy names ${facts.secrets.length} secrets, and no value stands in ${facts.file}`);
  },
  'jwt-secrets': ({ policy, vars }) => {
    const names = [...policy.issuers.flatMap(({ secret, secrets, encoding }) => list(secret ?? secrets).map((name) => ({ name, encoding }))),
      ...list(policy.sessions?.secret ?? policy.sessions?.secrets.map(({ secret }) => secret)).map((name) => ({ name }))];
    if (names.length === 0) return pass('no token is signed by a secret: issuers sign by private keys');
    const known = names.map((one) => ({ ...one, text: value(vars, one.name) })).filter(({ text }) => text !== undefined);
    const weak = known.filter(({ text, encoding }) => bitsOf(text, encoding) < BITS);
    if (weak.length > 0) return weak.map(({ name }) => fail(`${name} in .dev.vars is long enough and can be guessed: it was not drawn at random`, { fix: 'openssl rand -base64 32' }));
    const rest = known.length < names.length ? `; not looked at, since they are not in .dev.vars: ${names.filter(({ name }) => value(vars, name) === undefined).map(({ name }) => name).join(', ')}` : '';
    return pass(`the gate does not start with a shorter one (RFC 7518 §3.2)${rest}`);
  },
};

export const BEYOND = {
  names: ({ findings }) => {
    const left = findings.filter(({ example }) => example);
    return left.length === 0 ? pass('none is') : left.map(({ path: at, message }) => fail(message, { path: at, fix: 'write your own' }));
  },
  host: ({ configuration }) => {
    if (configuration === undefined) return skip("wrangler's configuration is not here");
    const open = ['workers_dev', 'preview_urls'].filter((name) => configuration[name] !== false);
    const routed = list(configuration.routes ?? configuration.route).length > 0;
    if (!routed) return warn('it has no host of its own: no firewall rule and no Cloudflare Access can be put before it', { fix: 'routes = [{ pattern = "api.example.com", custom_domain = true }], workers_dev = false, preview_urls = false' });
    return open.length === 0 ? pass('workers_dev and preview_urls are off') : fail(`it answers elsewhere too, where rules for its host do not hold: ${open.join(', ')}`, { fix: open.map((name) => `${name} = false`).join(', ') });
  },
  around: ({ policy }) => {
    const upstreams = upstreamsOf(policy);
    if (upstreams.length === 0) return pass('services are bound, or the gate answers itself: there is no other way');
    if (policy.identity === 'jwt') return pass('the service can tell by a signed token (identity = "jwt"); that it looks is its own matter');
    return warn('the service is at an address, and cannot tell who asks', { path: upstreams[0].path, fix: 'identity = "jwt", a service binding, a tunnel or mTLS: docs/deployment.md' });
  },
  'other-paths': ({ policy: { routes, issuers, api_keys: keys } }) => {
    if (routes.length === 0 || (issuers.length === 0 && keys === undefined)) return pass('there are no routes: everything needs a credential');
    return routes.at(-1).path === '/*' && routes.at(-1).methods === undefined ? pass('the last route is for /*') : warn('paths that no route names take any good credential', { path: 'routes', fix: '[[routes]] path = "/*" with scopes, or answer = { status = 404 }, as the last one' });
  },
  'open-routes': ({ policy: { routes } }) => {
    const open = routes.map((route, at) => ({ ...route, at })).filter((route) => !needsCredential(route) && route.answer === undefined);
    const writing = open.filter(({ methods }) => methods === undefined || methods.some((method) => !PUBLIC_METHODS.includes(method)));
    if (writing.length > 0) return writing.map(({ at, path: pattern }) => warn(`${pattern} takes every method from everybody`, { path: `routes[${at}]`, fix: 'methods = ["GET"]' }));
    return pass(open.length === 0 ? 'there are none' : open.map(({ path: pattern }) => pattern).join(', '));
  },
  'fail-closed': ({ policy: { revocation, limits } }) => {
    const open = [...(revocation?.on_error === 'allow' ? ['revocation'] : []), ...list(limits).flatMap(({ on_error: fallback }, at) => (fallback === 'allow' ? [`limits[${at}]`] : []))];
    return open.length === 0 ? pass('on_error is deny everywhere') : open.map((at) => warn('lets everybody pass while its store does not answer', { path: `${at}.on_error`, fix: 'on_error = "deny"' }));
  },
  administration: ({ policy: { admin } }) => (admin === undefined
    ? pass('the gate has none')
    : unknown('a secret protects it; what else stands before it is not in these files', { kind: 'none', fix: 'Cloudflare Access or a firewall rule before /auth/admin; attest it in doctor.toml' })),
  'first-guess': ({ policy: { accounts } }) => (accounts === undefined
    ? skip('the gate has no accounts')
    : unknown('whether the objects of accounts were made beforehand is stored nowhere', { kind: 'none', fix: 'npx edgegate accounts prepare, and attest it in doctor.toml' })),
  address: ({ policy: { client_ip_header: header } }) => (header.toLowerCase() === PLATFORM_HEADER
    ? pass('Cloudflare sets it, and takes off what callers send')
    : warn(`${header} is whatever comes: only a proxy that nobody gets around may set it`, { path: 'client_ip_header', fix: 'leave it out behind Cloudflare' })),
  runtime: ({ configuration, now }) => {
    if (configuration?.compatibility_date === undefined) return skip("wrangler's configuration is not here");
    const days = Math.floor((now - Date.parse(configuration.compatibility_date)) / DAY_MILLIS);
    return days <= YEAR_DAYS ? pass(configuration.compatibility_date) : warn(`${configuration.compatibility_date} is ${days} days ago`, { fix: 'take the newest date, and test' });
  },
  sampling: ({ configuration }) => {
    if (configuration === undefined) return skip("wrangler's configuration is not here");
    const { observability } = configuration;
    const rate = observability?.logs?.head_sampling_rate ?? observability?.head_sampling_rate ?? 1;
    return rate === 1 ? pass('head_sampling_rate is 1') : warn(`only ${rate * 100} % of the requests are kept: the others leave no line`, { fix: 'head_sampling_rate = 1' });
  },
};

const PUT = (name) => `npx wrangler secret put ${name}, and take it out of the variables`;

function inVariables({ configuration, secrets }) {
  const { POLICY, ...variables } = configuration?.vars ?? {};
  return Object.entries(variables).filter(([name, text]) => secrets.includes(name) || isNamedSecret(name, text) || secretsIn(String(text)).length > 0)
    .map(([name]) => fail(`the variable ${name} is a secret, and stands in wrangler's configuration`, { fix: PUT(name) }));
}

/** A JWK with its private or secret part. */
const inPolicy = ({ policy }) => policy.issuers.flatMap(({ jwks }, at) => (list(jwks?.keys).some((key) => key?.k !== undefined || key?.d !== undefined)
  ? [fail('a key that signs stands in the policy', { path: `issuers[${at}].jwks`, fix: 'secret = "NAME", or the public key alone' })]
  : []));

const inText = ({ file, text }) => secretsIn(text).map((kind) => fail(`${kind} stands in ${file}`, { fix: 'make it a secret, and end this one: whoever has the file has it' }));

/** Only reads; `core.fsmonitor` would let the configuration of a repository start a program. */
function git(folder, ...parameters) {
  try {
    return execFileSync('git', ['-c', 'core.fsmonitor=false', ...parameters], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 }).trim();
  } catch {
    // No git, or no repository.
    return '';
  }
}

function inGit({ folder }) {
  const files = git(folder, 'ls-files', '--', '.dev.vars', '.dev.vars.*', '.env', '.env.*').split('\n').filter((name) => name !== '' && !/\.(example|sample|template)$/.test(name));
  if (files.length > 0) return files.map((name) => fail(`git has ${name}`, { fix: `git rm --cached ${name}, and change all that is in it` }));
  const once = git(folder, 'log', '--all', '--format=%h', '-1', '--', '.dev.vars', '.env');
  return once === '' ? [] : [fail(`git had .dev.vars or .env once (${once}), so it has it still`, { fix: 'change all that was in it' })];
}

function readable({ folder, env }) {
  const file = varsFile(folder, env);
  const isOpen = process.platform !== 'win32' && existsSync(file) && (statSync(file).mode & 0o077) !== 0;
  return isOpen ? [warn(`others on this machine can read ${path.basename(file)}`, { fix: `chmod 600 ${path.basename(file)}` })] : [];
}

function shared({ secrets, vars }) {
  const values = Object.fromEntries(secrets.map((name) => [name, value(vars, name)]));
  return weaknesses(values).map(({ path: name, message }) => warn(`${name} in .dev.vars ${message}`, { fix: 'openssl rand -base64 32' }));
}

/** At most so many bits, if each byte was drawn from those that occur. */
function bitsOf(text, encoding = 'text') {
  const bytes = Buffer.from(text, encoding === 'text' ? 'utf8' : encoding);
  return bytes.length * Math.log2(Math.max(1, new Set(bytes).size));
}
