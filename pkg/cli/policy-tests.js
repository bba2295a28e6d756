// Tests of a policy: a file of callers and cases, and what became of each. `edgegate test` runs them.

import path from 'node:path';

import { createRehearsal } from 'edgegate/testing';

import { asAnswered, outcomeLine, urlAt } from './explained.js';
import { misused } from './failure.js';
import { findConfiguration, policyObject, readDocument, readProject } from './project.js';

const FILE = ['policy', 'env', 'now', 'callers', 'cases'];
const CALLER = ['token', 'key', 'session', 'headers', 'revoked', 'forged'];
const TOKEN = ['issuer', 'scopes', 'claims', 'expires_in', 'typ'];
const KEY = ['prefix', 'owner', 'scopes', 'limits', 'ips', 'disabled'];
const SESSION = ['subject', 'scopes', 'claims'];
const CASE = ['name', 'request', 'caller', 'headers', 'ip', 'expect'];
const EXPECTED = ['status', 'code', 'reason', 'route', 'step', 'limits'];

/** As a case says that nobody calls. */
const NOBODY = 'nobody';

/** A file of tests, with the policy that it is about. */
export function readTests(file, { policy: given, env: named } = {}) {
  const { value } = readDocument(file);
  const at = (place, problem) => misused(`${file}: ${place}: ${problem}`);
  const read = checker(at);
  read.object(value, '', FILE);
  const folder = path.dirname(file);
  const env = named ?? value.env;
  const project = readProject(given ?? (value.policy === undefined ? findConfiguration(folder) : path.resolve(folder, value.policy)), env);
  const callers = Object.entries(value.callers ?? {}).map(([name, caller]) => callerOf(name, caller, read, at));
  if (!Array.isArray(value.cases) || value.cases.length === 0) throw at('cases', 'expected at least one');
  const known = new Set([NOBODY, ...callers.map(({ name }) => name)]);
  const cases = value.cases.flatMap((one, index) => casesOf(one, `cases[${index}]`, known, read, at));
  return { file, project, policy: policyObject(project), now: momentOf(value.now, at), callers, cases };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const checker = (at) => ({
  object(value, place, known) {
    if (!isObject(value)) throw at(place || 'the file', 'expected an object');
    const unknown = Object.keys(value).find((name) => !known.includes(name));
    if (unknown !== undefined) throw at(place ? `${place}.${unknown}` : unknown, `is not a known field, expected one of ${known.join(', ')}`);
  },
  texts(value, place) {
    const list = [value].flat();
    if (!list.every((one) => typeof one === 'string')) throw at(place, 'expected a string, or a list of strings');
    return list;
  },
});

/** The clock stands still, so that a slow machine changes nothing. */
function momentOf(now, at) {
  const secs = typeof now === 'number' ? now : Math.floor((now === undefined ? Date.now() : Date.parse(now)) / 1000);
  if (!Number.isSafeInteger(secs)) throw at('now', 'expected seconds since 1970, or a time like 2027-01-31T12:00:00Z');
  return secs;
}

function callerOf(name, caller, read, at) {
  const place = `callers.${name}`;
  read.object(caller, place, CALLER);
  if (name === NOBODY) throw at(place, 'means that there is no credential, expected another name');
  const kinds = ['token', 'key', 'session', 'headers'].filter((kind) => caller[kind] !== undefined);
  if (kinds.length !== 1) throw at(place, 'expected one of token, key, session, headers');
  const [kind] = kinds;
  if (kind !== 'headers') read.object(caller[kind], `${place}.${kind}`, { token: TOKEN, key: KEY, session: SESSION }[kind]);
  if (caller.forged && kind === 'headers') throw at(`${place}.forged`, 'expected beside token, key or session');
  if (caller.revoked && kind === 'headers') throw at(`${place}.revoked`, 'expected beside token, key or session');
  return { name, kind, place, ...caller };
}

/** One for each request and caller. */
function casesOf(one, place, known, read, at) {
  read.object(one, place, CASE);
  const requests = read.texts(one.request ?? [], `${place}.request`);
  if (requests.length === 0) throw at(`${place}.request`, 'is required, like "GET /v1/posts"');
  const callers = read.texts(one.caller ?? NOBODY, `${place}.caller`);
  const unknown = callers.find((name) => !known.has(name));
  if (unknown !== undefined) throw at(`${place}.caller`, `there is no caller ${unknown}, expected one of ${[...known].join(', ')}`);
  const expected = expectedOf(one.expect, `${place}.expect`, read, at);
  return requests.flatMap((text) => {
    const [, method, target] = /^([A-Z-]+) +((?:https?:\/\/[^/\s]+)?\/\S*)$/.exec(text) ?? [];
    if (method === undefined) throw at(`${place}.request`, `expected a method and a path, like "GET /v1/posts", found ${text}`);
    return callers.map((caller) => ({ place, name: one.name, text, method, target, caller, headers: one.headers ?? {}, ip: one.ip, expected }));
  });
}

/** `admitted`, a code, a status, or an object that says more. */
function expectedOf(expect, place, read, at) {
  if (expect === 'admitted') return { status: 200, code: null };
  if (typeof expect === 'string' && /^[A-Z][A-Z_]+$/.test(expect)) return { code: expect };
  if (Number.isInteger(expect)) return { status: expect };
  if (!isObject(expect)) throw at(place, 'expected admitted, a code like INSUFFICIENT_SCOPE, a status, or an object');
  read.object(expect, place, EXPECTED);
  if (Object.keys(expect).length === 0) throw at(place, `expected at least one of ${EXPECTED.join(', ')}`);
  return expect.code === 'admitted' ? { ...expect, code: null } : expect;
}

/** The policy, with somebody in the place of its issuers, and the headers of each caller. */
export async function stage({ policy, now, callers }) {
  const rehearsal = await createRehearsal(policy, { now: () => now });
  const headers = new Map([[NOBODY, {}]]);
  for (const caller of callers) headers.set(caller.name, await headersOf(rehearsal, caller, policy));
  return { rehearsal, headers };
}

async function headersOf(rehearsal, caller, policy) {
  try {
    return await MAKERS[caller.kind](rehearsal, caller, policy);
  } catch (error) {
    if (error.code === undefined) throw error;
    throw misused(`${caller.place}: ${error.message}`);
  }
}

const MAKERS = {
  headers: async (_, { headers }) => headers,

  async token(rehearsal, { token: { expires_in: expiresInSecs, ...token }, revoked, forged }) {
    const text = await rehearsal.token({ ...token, ...(expiresInSecs !== undefined && { expiresInSecs }) });
    if (revoked) await rehearsal.revocations.add({ token: text });
    return bearer(forged ? otherEnd(text) : text);
  },

  async key(rehearsal, { key, name, revoked, forged }, policy) {
    const { disabled, ...asked } = key;
    const minted = await rehearsal.keys.mint({ name, owner: name, scopes: [], ...asked });
    if (disabled) await rehearsal.keys.update(minted.id, { disabled });
    if (revoked) await rehearsal.keys.revoke(minted.id);
    return { [policy.api_keys?.header ?? 'X-API-Key']: forged ? otherEnd(minted.key) : minted.key };
  },

  async session(rehearsal, { session, name, revoked, forged }) {
    const { accessToken } = await rehearsal.sessions.open({ subject: name, scopes: [], ...session });
    if (revoked) await rehearsal.revocations.add({ token: accessToken });
    return bearer(forged ? otherEnd(accessToken) : accessToken);
  },
};

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** With another character near the end: the last one may have bits that say nothing. */
const otherEnd = (text) => `${text.slice(0, -5)}${text.at(-5) === 'A' ? 'B' : 'A'}${text.slice(-4)}`;

/** What became of each case: `{ok, found, wrong}` beside what it is. */
export async function perform({ policy, cases }, { rehearsal, headers }) {
  const done = [];
  for (const one of cases) {
    const url = one.target.startsWith('/') ? urlAt(policy, one.target) : one.target;
    const asked = { method: one.method, url, headers: { ...one.headers, ...headers.get(one.caller) } };
    const found = asAnswered(await rehearsal.explain(asked, one.ip === undefined ? {} : { clientIp: one.ip }));
    const wrong = differences(one.expected, found);
    done.push({ ...one, found, wrong, ok: wrong.length === 0 });
  }
  return done;
}

const limitsOf = ({ steps }) => steps.find(({ step, verdict }) => step === 'limits' && verdict === 'would_be_asked')?.detail?.split(', ') ?? [];

/** What of the expected is not so. */
function differences(expected, found) {
  const refusing = found.steps.find(({ verdict }) => verdict === 'refused')?.step ?? null;
  const actual = { ...found.outcome, route: found.route, step: refusing, limits: limitsOf(found) };
  return Object.entries(expected)
    .filter(([name, wanted]) => JSON.stringify(actual[name]) !== JSON.stringify(wanted))
    .map(([name, wanted]) => ({ what: name, expected: wanted, found: actual[name] }));
}

/** A failed case in a line. */
export function failureLine({ place, name, text, caller, found, wrong }) {
  const refusing = found.steps.find(({ verdict }) => verdict === 'refused');
  const why = refusing === undefined ? '' : `: ${refusing.detail}${refusing.policy_path ? ` (${refusing.policy_path})` : ''}`;
  const wanted = wrong.map(({ what, expected, found: actual }) => `${what} ${written(expected)}, found ${written(actual)}`).join('; ');
  return `${place}${name ? ` ${name}` : ''}: ${text} by ${caller}: expected ${wanted}\n    ${outcomeLine(found.outcome)}${why}`;
}

const written = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
