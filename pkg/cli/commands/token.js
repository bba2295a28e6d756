// `edgegate token`: tokens, offline.

import { createGate, decodeUnverified } from 'edgegate';

import { canAsk, secret, secretIn } from '../ask.js';
import { Failure, REFUSED, misused } from '../failure.js';
import { done, fields, jsonText, plain, result, say, style, time, warn } from '../output.js';
import { findConfiguration, policyObject, readProject, varsOf } from '../project.js';
import { issuersWithSecrets, mintToken } from '../tokens.js';
import { duration, many } from '../values.js';
import { rolesOf } from '../secrets.js';
import { value } from '../vars.js';

export function token(program) {
  const group = program.command('token').description('tokens, offline');

  group.command('inspect [file]')
    .description('show what a token says: from a file, or - for standard input; without a file it is asked for')
    .option('--policy <file>', 'also whether this policy takes it: wrangler.toml, or a policy alone. Keys that an issuer publishes are fetched')
    .option('-e, --env <name>', "one of wrangler's environments")
    .action(async (file, options) => {
      const text = await tokenText(file, options);
      const decoded = decode(text);
      const verdict = options.policy === undefined ? undefined : await judge(text, decoded, options);
      result(options, { ...decoded, ...(verdict && { verdict }) }, () => shown(decoded));
      if (verdict === undefined) {
        if (!options.json) warn('nothing is verified: anybody can write such a token');
      } else {
        if (!options.json) tellVerdict(verdict);
        if (!verdict.ok) process.exitCode = REFUSED;
      }
    });

  group.command('mint')
    .description('sign a token of an issuer of the policy whose secret is in .dev.vars')
    .option('--sub <subject>', 'whose it is', 'demo-user')
    .option('--scope <scopes>', 'what it may do; several times, or with commas', many, [])
    .option('--expires-in <time>', 'how long it lives', duration, 3600)
    .option('--issuer <issuer>', 'which issuer, where the policy has several with a secret')
    .option('--claim <name=value>', 'a further claim, its value as JSON or as it is; several times', claim)
    .option('--policy <file>', 'the policy, wrangler.toml here by default')
    .option('-e, --env <name>', "one of wrangler's environments")
    .action(async (options) => {
      const project = readProject(options.policy ?? findConfiguration(process.cwd()), options.env);
      const found = issuersWithSecrets(policyObject(project)).filter(({ issuer }) => (options.issuer ?? issuer) === issuer);
      if (found.length !== 1) {
        throw misused(found.length === 0 ? 'no issuer of the policy has a secret' : 'several issuers have a secret', found.length === 0
          ? 'whoever issues your tokens signs them with a key of its own. For tokens of the gate: npx edgegate sessions open'
          : `say which: --issuer ${found.map(({ issuer }) => issuer).join(' or ')}`);
      }
      const { sub: subject, scope: scopes, expiresIn, claim: claims } = options;
      const text = await mintToken(found[0], varsOf(project, options.env), { subject, scopes, expiresIn, claims });
      result(options, { token: text, expires_in: expiresIn }, () => text);
    });
}

/** A token does not belong into the command line, which others on this machine can see. */
async function tokenText(file, options) {
  if (file === undefined && canAsk(options)) return (await secret('The token')).trim();
  return (await secretIn('file', file ?? '-')).trim();
}

function decode(text) {
  try {
    const { header, payload } = decodeUnverified(text);
    return { header, claims: payload };
  } catch (error) {
    throw new Failure(error.message, { code: error.code, hint: 'expected three parts with dots between them' });
  }
}

/** What the gate would say to it, without stores: whether it was revoked is not asked. */
async function judge(text, { claims }, { policy: file, env }) {
  const project = readProject(file, env);
  const policy = policyObject(project);
  const own = (policy.issuers ?? []).filter(({ issuer }) => issuer === claims.iss || issuer?.includes('{'));
  if (own.length === 0 && claims.iss !== undefined && claims.iss === policy.sessions?.issuer) {
    throw new Failure('a token of the gate itself', { hint: 'the gate alone has the keys: send it a request with this token' });
  }
  if (own.length === 0) return { ok: false, code: 'INVALID_TOKEN', message: `no issuer of the policy is ${claims.iss}` };
  const only = { issuers: own, ...(policy.max_token_length && { max_token_length: policy.max_token_length }) };
  const vars = varsOf(project, env);
  const secrets = Object.fromEntries([...rolesOf(only).keys()].map((name) => [name, value(vars, name)]).filter(([, one]) => one !== undefined));
  const gate = createGate(only, { secrets });
  const decision = await gate.check(new Request('https://gate.invalid/', { headers: { Authorization: `Bearer ${text}` } }));
  if (!decision.ok) return { ok: false, code: decision.code, message: decision.message };
  return { ok: true, subject: decision.identity.subject, scopes: decision.identity.scopes };
}

function tellVerdict(verdict) {
  if (verdict.ok) done(`the policy takes it: subject ${plain(verdict.subject)}, scopes ${plain(verdict.scopes.join(' ')) || 'none'}`);
  else say(plain(`${verdict.code}: ${verdict.message}`), style('red', 'refused:'));
}

const TIMES = ['iat', 'nbf', 'exp', 'auth_time'];

function shown({ header, claims }) {
  const times = TIMES.filter((name) => typeof claims[name] === 'number').map((name) => [name, `${time(claims[name])} (${ago(claims[name])})`]);
  return [jsonText(header, 2), jsonText(claims, 2), fields(times)].filter(Boolean).join('\n');
}

function ago(secs) {
  const away = Math.round(secs - Date.now() / 1000);
  const [size, unit] = [[86_400, 'days'], [3600, 'hours'], [60, 'minutes'], [1, 'seconds']].find(([size]) => Math.abs(away) >= size) ?? [1, 'seconds'];
  const count = Math.floor(Math.abs(away) / size);
  return away < 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

function claim(text, before = {}) {
  const at = text.indexOf('=');
  if (at < 1) throw misused(`--claim ${text}: expected name=value`);
  const raw = text.slice(at + 1);
  let parsed = raw;
  try {
    parsed = JSON.parse(raw);
  } catch { /* A text. */ }
  return { ...before, [text.slice(0, at)]: parsed };
}
