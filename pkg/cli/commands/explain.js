// `edgegate explain`: what a gate would say to a request, and why.

import { createRehearsal } from 'edgegate/testing';

import { secretIn } from '../ask.js';
import { asAnswered, shown, urlAt } from '../explained.js';
import { REFUSED, misused } from '../failure.js';
import { connect, gateOptions } from '../gate.js';
import { result, say, style, warn } from '../output.js';
import { policyObject, readProject, varsOf } from '../project.js';
import { rolesOf } from '../secrets.js';
import { value } from '../vars.js';

export function explain(program) {
  gateOptions(program.command('explain <method> <path>')
    .description('what a gate would say to a request, and why: nothing is counted, used up or logged as a request. With --policy without a gate'))
    .option('--bearer <file>', 'a token in this file, - for standard input, as Authorization: Bearer')
    .option('--api-key <file>', 'an API key in this file, - for standard input, in the header of API keys')
    .option('--headers <file>', 'lines "Name: value" in this file, - for standard input: for any credential')
    .option('--header <line>', '"Name: value", several times; not for credentials', (line, before = []) => [...before, line])
    .option('--ip <address>', "the caller's address")
    .option('--policy <file>', 'no gate is asked: by this policy, wrangler.toml or a policy alone. Keys that an issuer publishes are fetched')
    .option('-e, --env <name>', "one of wrangler's environments, with --policy")
    .action(async (method, path, options) => {
      const asked = { method: method.toUpperCase(), path: pathOf(path), headers: await headersOf(options) };
      const answer = options.policy === undefined ? await byGate(asked, options) : await byPolicy(asked, options);
      result(options, answer, shown);
      if (answer.outcome.code !== null) process.exitCode = REFUSED;
    });
}

function pathOf(path) {
  if (!path.startsWith('/')) throw misused(`${path}: expected a path, like /v1/posts`, 'the gate is named by --url or a profile');
  return path;
}

/** The usual headers of credentials: others on this machine can see the command line. */
const USUAL = ['authorization', 'proxy-authorization', 'cookie', 'dpop', 'x-api-key'];

function line(text) {
  const [, name, content] = /^([^\s:]+)\s*:\s*(.*?)\s*$/.exec(text) ?? [];
  if (name === undefined) throw misused('a header is a line like "Origin: https://app.example"');
  return [name, content];
}

/** Those, and what the policy calls its own, where one is at hand. */
function credentialHeaders({ policy, env }) {
  if (policy === undefined) return USUAL;
  const { api_keys: keys, credential_headers: tokens } = policyObject(readProject(policy, env));
  const own = [keys?.header, ...(Array.isArray(tokens) ? tokens : []).map((one) => one?.name)];
  return [...USUAL, ...own.filter((name) => typeof name === 'string').map((name) => name.toLowerCase())];
}

async function headersOf(options) {
  const given = (options.header ?? []).map(line);
  const credentials = given.length === 0 ? [] : credentialHeaders(options);
  const secret = given.find(([name]) => credentials.includes(name.toLowerCase()));
  if (secret !== undefined) throw misused(`--header ${secret[0]}: a credential does not belong into the command line: others can see it there`, 'say --bearer FILE, --api-key FILE or --headers FILE');
  if (options.headers !== undefined) given.push(...(await secretIn('--headers', options.headers)).split(/\r?\n/).filter((one) => one.trim() !== '').map((one) => line(one.trim())));
  if (options.bearer !== undefined) given.push(['Authorization', `Bearer ${await secretIn('--bearer', options.bearer)}`]);
  if (options.apiKey !== undefined) given.push([await keyHeader(options), await secretIn('--api-key', options.apiKey)]);
  const headers = {};
  const names = new Map();
  for (const [name, content] of given) {
    const known = names.get(name.toLowerCase()) ?? name;
    names.set(known.toLowerCase(), known);
    headers[known] = headers[known] === undefined ? content : `${headers[known]}, ${content}`;
  }
  return headers;
}

/** The gate does not say how it calls this header; the policy does. */
async function keyHeader({ policy, env }) {
  return (policy === undefined ? undefined : policyObject(readProject(policy, env)).api_keys?.header) ?? 'X-API-Key';
}

async function byGate({ headers, ...asked }, options) {
  const gate = await connect(options);
  const address = options.ip === undefined ? {} : { 'CF-Connecting-IP': options.ip };
  return gate.call('explain', { ...asked, headers: { ...headers, ...address } });
}

async function byPolicy({ method, path, headers }, { policy: file, env, ip, json }) {
  const project = readProject(file, env);
  const policy = policyObject(project);
  const vars = varsOf(project, env);
  const known = [...rolesOf(policy).keys()].map((name) => [name, value(vars, name)]);
  const secrets = Object.fromEntries(known.filter(([, one]) => one !== undefined));
  const missing = known.filter(([, one]) => one === undefined).map(([name]) => name);
  const rehearsal = await createRehearsal(project.policy, { secrets, keys: 'own' });
  const answer = asAnswered(await rehearsal.explain({ method, url: urlAt(policy, path), headers }, ip === undefined ? {} : { clientIp: ip }));
  if (!json) {
    if (missing.length > 0) warn(`not in .dev.vars, so that something else stands in for it: ${missing.join(', ')}`);
    say('without a gate: no API key is known, no session is open, and nothing is revoked', style('dim', 'note:'));
  }
  return answer;
}
