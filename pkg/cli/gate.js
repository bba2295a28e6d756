// The administration of a running gate, over HTTP.

import { secret, secretIn } from './ask.js';
import { Failure, misused } from './failure.js';
import { say, style } from './output.js';
import { readProfiles, usualName } from './profiles.js';

/** A cold Worker with cold stores answers within seconds. */
const ANSWER_MILLIS = 30_000;

const TOKEN_HINT = 'put it into EDGEGATE_ADMIN_TOKEN or a file (--token-file), or save a profile: npx edgegate profiles save NAME';

/** The options by which commands find the gate. */
export const gateOptions = (command) => command
  .option('--url <url>', 'the gate (or EDGEGATE_URL, or the profile)')
  .option('--token-file <file>', "a file with the administrator's secret, - for standard input (or EDGEGATE_ADMIN_TOKEN, or the profile)")
  .option('--profile <name>', 'a gate that was saved by a name (or EDGEGATE_PROFILE)');

/** The gate that options, environment and profiles name. */
export async function connect(options, env = process.env) {
  const name = options.profile ?? env.EDGEGATE_PROFILE;
  const profiles = readProfiles();
  if (name !== undefined && !Object.hasOwn(profiles, name)) throw misused(`there is no profile ${name}`, 'npx edgegate profiles list');
  const named = options.url ?? (name === undefined ? env.EDGEGATE_URL : undefined);
  const usual = name ?? usualName();
  const profile = Object.hasOwn(profiles, usual) ? profiles[usual] : undefined;
  if ((named ?? profile?.url) === undefined) {
    throw misused('which gate?', 'say --url https://…, set EDGEGATE_URL, or save a profile: npx edgegate profiles save');
  }
  const url = gateUrl(named ?? profile.url);
  if (named === undefined && name === undefined && !options.json) say(style('dim', `at ${url}`));
  // The secret of one gate is not sent to another.
  const kept = profile?.url !== undefined && gateUrl(profile.url) === url ? profile.token : undefined;
  const fromEnvironment = name === undefined ? env.EDGEGATE_ADMIN_TOKEN : undefined;
  const token = (options.tokenFile === undefined ? undefined : await secretIn('--token-file', options.tokenFile)) ?? fromEnvironment ?? kept ?? (await secret(`Administrator's secret of ${url}`, TOKEN_HINT));
  return new Gate(url, token.trim());
}

/** With the prefix of the gate's own endpoints, which is `/auth` unless the URL has a path. */
export function gateUrl(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw misused(`${text}: expected a URL like https://api.example.com`);
  }
  if (url.username || url.password) throw misused(`${url.host}: expected a URL without a password`);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw misused(`${text}: expected https`, 'over plain http everybody on the way reads the secret; only on this machine is it taken');
  }
  const prefix = url.pathname.replace(/\/+$/, '') || '/auth';
  return `${url.origin}${prefix}`;
}

export class Gate {
  #url;
  #token;

  constructor(url, token) {
    this.#url = url;
    this.#token = token;
  }

  get url() {
    return this.#url;
  }

  /** What an endpoint of administration answers; its text where it is no JSON. */
  async ask(method, target, { query = {}, body, type = 'application/json', headers: more = {} } = {}) {
    const wanted = Object.entries(query).filter(([, value]) => value !== undefined);
    const url = `${this.#url}/admin${target}${wanted.length > 0 ? `?${new URLSearchParams(wanted)}` : ''}`;
    const headers = { Authorization: `Bearer ${this.#token}`, Accept: 'application/json', ...(body !== undefined && { 'Content-Type': type }), ...more };
    let answer;
    let text;
    try {
      const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
      answer = await fetch(url, { method, headers, body: sent, redirect: 'manual', signal: AbortSignal.timeout(ANSWER_MILLIS) });
      text = await answer.text();
    } catch (error) {
      throw unreachable(this.#url, error);
    }
    if (!answer.ok) throw refusal(this.#url, answer, text);
    return answer.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : text;
  }

  /** All items of a list that comes in pages, or those of one page. */
  async list(target, name, { all, cursor, limit, ...query }) {
    const items = [];
    let next = cursor;
    do {
      const page = await this.ask('GET', target, { query: { ...query, cursor: next, limit } });
      items.push(...page[name]);
      next = page.cursor;
    } while (all && next);
    return { [name]: items, ...(next && { cursor: next }) };
  }
}

function unreachable(url, error) {
  if (error.name === 'TimeoutError') return new Failure(`${url} does not answer`, { hint: `nothing came within ${ANSWER_MILLIS / 1000} s` });
  // A secret with a line break is no header, and the message would have it.
  if (error instanceof TypeError && error.cause === undefined) return misused("the administrator's secret has characters that no header can have");
  return new Failure(`${url} cannot be reached: ${error.cause?.code ?? error.cause?.message ?? error.message}`, { hint: 'is the URL right, and the gate running?' });
}

/** What the gate's codes mean to somebody who administers it. */
const HINTS = {
  INVALID_TOKEN: "the administrator's secret is wrong. Locally it is ADMIN_TOKEN in .dev.vars",
  NOT_FOUND: 'no such thing, or the policy has no section for it (admin, api_keys, revocation, sessions)',
  CONFIG_ERROR: 'the gate refuses its policy: npx edgegate check says where',
};

function refusal(url, answer, text) {
  let body = {};
  try {
    body = JSON.parse(text);
  } catch { /* Something else than the gate has answered. */ }
  const { status } = answer;
  if (typeof body.code !== 'string') {
    return new Failure(`${url} answered ${status}, and not as a gate does`, { status, hint: 'is this the URL of the gate?' });
  }
  const again = answer.headers.get('retry-after');
  const hint = again === null ? HINTS[body.code] ?? body.hint : `${body.hint} (after ${again} s)`;
  return new Failure(`${body.error} (${status} ${body.code})`, { code: body.code, status, hint });
}
