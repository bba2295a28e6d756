// The administration of a running gate, over HTTP.

import { AdminError, createAdminClient } from '../client.js';
import { secret, secretIn } from './ask.js';
import { Failure, misused } from './failure.js';
import { say, style } from './output.js';
import { readProfiles, usualName } from './profiles.js';
import { REFUSALS } from './refusals.js';

/** A cold Worker with cold stores answers within seconds. */
const ANSWER_MILLIS = 30_000;

const TOKEN_HINT = 'put it into a file (--token-file), or into EDGEGATE_ADMIN_TOKEN beside --url or EDGEGATE_URL, or save a profile: npx edgegate profiles save NAME';

/** The options by which commands find the gate. */
export const gateOptions = (command) => command
  .option('--url <url>', 'the gate (or EDGEGATE_URL, or the profile)')
  .option('--token-file <file>', "a file with the administrator's secret, - for standard input (or EDGEGATE_ADMIN_TOKEN beside a URL, or the profile)")
  .option('--profile <name>', 'a gate that was saved by a name (or EDGEGATE_PROFILE)');

/** The gate that options, environment and profiles name. */
export async function connect(options, env = process.env) {
  const { url, token } = await located(options, env);
  return new Gate(url, (token ?? (await secret(`Administrator's secret of ${url}`, TOKEN_HINT))).trim());
}

/** Where that gate is, and its administrator's secret where nobody has to be asked for it. */
export async function located(options, env = process.env) {
  const name = options.profile ?? env.EDGEGATE_PROFILE;
  const profiles = readProfiles();
  if (name !== undefined && !Object.hasOwn(profiles, name)) throw misused(`there is no profile ${name}`, 'npx edgegate profiles list');
  const named = options.url ?? (name === undefined ? env.EDGEGATE_URL : undefined);
  const usual = name ?? usualNameFor(named);
  const profile = usual !== undefined && Object.hasOwn(profiles, usual) ? profiles[usual] : undefined;
  if ((named ?? profile?.url) === undefined) {
    throw misused('which gate?', 'say --url https://…, set EDGEGATE_URL, or save a profile: npx edgegate profiles save');
  }
  const url = gateUrl(named ?? profile.url);
  if (named === undefined && name === undefined && !options.json) say(url, style('dim', 'at'));
  // The secret of one gate is not sent to another.
  const kept = profile?.url !== undefined && gateUrl(profile.url) === url ? profile.token : undefined;
  const fromEnvironment = named === undefined ? undefined : environmentSecret(url, env);
  const token = (options.tokenFile === undefined ? undefined : await secretIn('--token-file', options.tokenFile)) ?? fromEnvironment ?? kept;
  return { url, token };
}

/** Of a folder whose configuration cannot be read nothing is needed where the gate is named. */
function usualNameFor(named) {
  try {
    return usualName();
  } catch (error) {
    if (named === undefined) throw error;
    return undefined;
  }
}

/** EDGEGATE_ADMIN_TOKEN, for a gate that was named by its URL; where EDGEGATE_URL names another one, it is that one's. */
export function environmentSecret(url, env = process.env) {
  const isOfAnother = env.EDGEGATE_URL !== undefined && gateUrl(env.EDGEGATE_URL) !== url;
  return isOfAnother ? undefined : env.EDGEGATE_ADMIN_TOKEN;
}

/** With the prefix of the gate's own endpoints, which is `/auth` unless the URL has a path or the policy is known. */
export function gateUrl(text, usualPrefix = '/auth') {
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
  const prefix = url.pathname.replace(/\/+$/, '') || usualPrefix;
  return `${url.origin}${prefix}`;
}

/** An answer that is none of the gate's: some other server is at that address. */
const foreign = (url, status) => new Failure(`${url} answered${status === undefined ? '' : ` ${status}`}, and not as a gate does`, { status, hint: 'is this the URL of the gate?' });

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string' && value !== '';
const isKey = (answer) => isText(answer.id) && isText(answer.name);
const isMinted = (answer) => isKey(answer) && isText(answer.key);
const isThatKey = (answer, [id]) => isKey(answer) && answer.id === id;
const isRevocation = (answer) => isText(answer.id) && isText(answer.target?.kind);
const areRevoked = (answer) => ['revoked', 'unchanged', 'expired'].every((name) => Number.isSafeInteger(answer[name]));
/** `{}`, or that a part is still on its way. */
const isAccount = (answer) => isText(answer.id) && isText(answer.subject) && Array.isArray(answer.scopes);
const isDone = (answer) => Object.entries(answer).every(([name, value]) => name === 'pending' && value === true);

const isExplained = (answer) => Array.isArray(answer.steps) && Number.isSafeInteger(answer.outcome?.status);

/** Of accounts: as many as the two bytes that number them can tell apart. */
const MOST_OBJECTS = 0x1_0000;

/** What the answer to an operation says if it was done. The status alone says nothing: any server answers 200. */
const SAYS = {
  explain: isExplained,
  watch: (answer) => isObject(answer.decisions) && Array.isArray(answer.alerts),
  listAudit: (answer) => Array.isArray(answer.entries) && typeof answer.more === 'boolean',
  listKeys: (answer) => Array.isArray(answer.keys),
  createKey: (answer, [body]) => (body.imported_sha256 === undefined ? isMinted(answer) : isKey(answer)),
  getKey: isThatKey,
  changeKey: isThatKey,
  revokeKey: (answer, given) => isThatKey(answer, given) && Number.isSafeInteger(answer.revoked_at),
  rotateKey: isMinted,
  listRevocations: (answer) => Array.isArray(answer.revocations),
  revoke: (answer, [body]) => (typeof body === 'string' ? areRevoked(answer) : isRevocation(answer)),
  getRevocation: (answer, [id]) => isRevocation(answer) && answer.id === id,
  findAccount: isAccount,
  createAccount: isAccount,
  inviteAccount: isAccount,
  // It goes on, and not for ever, so that whoever asks comes to an end.
  prepareAccounts: ({ prepared, next, of }, [{ from }]) => [prepared, of].every(Number.isSafeInteger) && of <= MOST_OBJECTS && (next === null || (Number.isSafeInteger(next) && next > from && next < of)),
  getAccount: (answer, [id]) => isAccount(answer) && answer.id === id,
  changeAccount: (answer, [id]) => isAccount(answer) && answer.id === id,
  deleteAccount: isDone,
  listGrants: (answer) => Array.isArray(answer.grants),
  endGrants: (answer) => Number.isInteger(answer.ended),
  listSessions: (answer) => Array.isArray(answer.sessions),
  openSession: (answer, [body]) => (body.ticket ? isText(answer.ticket) : isText(answer.access_token)),
  endSessions: (answer) => Number.isSafeInteger(answer.ended),
  endSession: (answer) => Number.isSafeInteger(answer.ended),
  narrowSession: isDone,
  forgetSubject: isDone,
  disableSubject: isDone,
  enableSubject: isDone,
};

export class Gate {
  #client;

  constructor(url, token) {
    this.url = url;
    if (!token) throw misused("the administrator's secret is empty", TOKEN_HINT);
    try {
      this.#client = createAdminClient({ url, token, timeoutMs: ANSWER_MILLIS });
    } catch {
      // A message of others could have the secret.
      throw misused("the administrator's secret has characters that no header can have");
    }
  }

  /** What an operation of administration (`edgegate/client`) answers. */
  async call(operation, ...given) {
    const answer = await this.#ask(operation, given);
    // Nothing of a revocation is left to be told of (204).
    const isExpected = operation === 'undoRevocation' ? answer === undefined : isObject(answer) && SAYS[operation](answer, given);
    if (!isExpected) throw foreign(this.url);
    return answer;
  }

  /** All items of a list that comes in pages, or those of one page. */
  async list(operation, name, { all, cursor, ...query }) {
    const items = [];
    const seen = new Set();
    let next = cursor;
    do {
      seen.add(next);
      const page = await this.call(operation, { ...query, cursor: next });
      items.push(...page[name]);
      next = page.cursor;
      if (all && next && seen.has(next)) throw new Failure(`${this.url} gives the same page again and again`, { hint: 'without --all each page is asked for alone' });
    } while (all && next);
    return { [name]: items, ...(next && { cursor: next }) };
  }

  /** What is revoked, each a value. */
  async exported() {
    const response = await this.#ask('exportRevocations', []);
    try {
      return (await response.text()).split('\n').filter(Boolean).map((line) => JSON.parse(line));
    } catch {
      throw foreign(this.url, response.status);
    }
  }

  async #ask(operation, given) {
    try {
      return await this.#client[operation](...given);
    } catch (error) {
      throw error instanceof AdminError ? refusal(this.url, error) : unreachable(this.url, error);
    }
  }
}

function unreachable(url, error) {
  if (error.name === 'TimeoutError') return new Failure(`${url} does not answer`, { hint: `nothing came within ${ANSWER_MILLIS / 1000} s` });
  // Not of the network: what was given cannot be sent.
  if (error instanceof TypeError && error.cause === undefined) return misused(error.message);
  return new Failure(`${url} cannot be reached: ${error.cause?.code ?? error.cause?.message ?? error.message}`, { hint: 'is the URL right, and the gate running?' });
}

/** What the gate's codes mean to somebody who administers it. */
const HINTS = {
  INVALID_TOKEN: "the administrator's secret is wrong. Locally it is ADMIN_TOKEN in .dev.vars",
  NOT_FOUND: 'no such thing, or the policy has no section for it (admin, api_keys, revocation, sessions)',
  CONFIG_ERROR: 'the gate refuses its policy: npx edgegate check says where',
};

function refusal(url, { message, code, status, hint, retryAfter }) {
  if (code === 'UNEXPECTED_ANSWER') return foreign(url, status);
  return new Failure(`${REFUSALS[code]?.title ?? message} (${status} ${code})`, {
    code, status, hint: retryAfter === undefined ? HINTS[code] ?? hint : `${hint} (after ${retryAfter} s)`,
  });
}
