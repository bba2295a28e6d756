// What only making, using and ending something shows. What is made ends in minutes, and is ended before that.
//
// The order matters: the last steps present wrong credentials until the gate blocks the address of this machine.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { ask, codeOf, json } from './http-request.js';
import { fail, pass, skip, unknown, warn } from './checklist.js';
import { forged } from './live.js';
import { list, needsCredential, pathOf } from './policy-facts.js';
import { startReceiver } from './receiver.js';

/** Of each key that is made. */
const KEY = { name: 'edgegate doctor', owner: 'edgegate-doctor', expires_in_secs: 600 };
/** More requests than that are not sent for the sake of a limit. */
const MAX_LIMIT = 100;
const POLL_MILLIS = 250;
/** What KV takes to be the same everywhere. */
const KV_SECS = 60;
/** A request to the gate takes a while too. */
const SLACK_SECS = 5;
/** An isolate hands over what it has counted every ten seconds. */
const COUNTED_WITHIN_SECS = 15;
const WATCHED_CODES = ['INVALID_TOKEN', 'INVALID_API_KEY', 'TOO_MANY_ATTEMPTS', 'RATE_LIMITED'];
/** More failures than that are not sent for the sake of an alert. */
const MAX_FAILURES = 500;
const DEFAULT_ABOVE = 100;
const RULE = 'failures';

const seconds = (began) => Math.round((performance.now() - began) / 100) / 10;

/** Asks until `wanted` gives something; how long it took, or nothing if it took too long. */
async function until(withinSecs, wanted) {
  const began = performance.now();
  for (;;) {
    const found = await wanted();
    if (found) return { found, secs: seconds(began) };
    if (seconds(began) >= withinSecs) return undefined;
    await sleep(POLL_MILLIS);
  }
}

/** How long what is revoked may still count (docs/revocation.md); of keys, as their records are kept. */
const boundOfKeys = ({ own }) => KV_SECS + (own.api_keys.cache_secs ?? 10) + SLACK_SECS;
const boundOfTokens = ({ revocation: { mode, cache_secs: cache, max_staleness_secs: staleness } }) => ({ entries: KV_SECS + cache, snapshot: staleness, ledger: 0 }[mode] + SLACK_SECS);

/** Whether it got as far as the service, whatever that says. */
const isAdmitted = (answer) => !answer.failed && ![400, 401, 403, 405, 429].includes(answer.status) && !['STORE_UNAVAILABLE', 'KEYS_UNAVAILABLE', 'CONFIG_ERROR'].includes(codeOf(answer));
const said = (answer) => answer.failed ?? codeOf(answer) ?? answer.status;

/** @param facts `{url, origin, gate, policy, receiver, receiverSecret, wait}` */
export async function probe({ receiver, receiverSecret, ...facts }) {
  const listening = receiver === undefined ? undefined : await startReceiver(receiver, receiverSecret);
  try {
    return await probed({ ...facts, listening });
  } finally {
    listening?.close();
  }
}

async function probed(facts) {
  const findings = [];
  const add = (id, ...verdicts) => findings.push(...verdicts.flat().map((verdict) => ({ id, kind: 'probe', ...verdict })));
  const tried = async (ids, step) => {
    try {
      await step();
    } catch (error) {
      for (const id of ids) add(id, unknown(error.message, { fix: error.hint }));
    }
  };
  await tried(['logout'], () => ofKey(facts, add));
  await tried(['refresh', 'logout', 'cookies'], () => ofSession(facts, add));
  await tried(['docs-limits'], () => ofLimits(facts, add));
  await tried(['failures-logged', 'attempts', 'alerts'], () => ofFailures(facts, add));
  return findings;
}

// ---- a key: made, used, ended ----

async function ofKey({ origin, gate, policy }, add) {
  if (policy?.own.api_keys === undefined) return add('logout', skip('the policy takes no API keys'));
  const route = routeFor(policy, 'api_key');
  if (route === undefined) return add('logout', unknown('no route takes an API key and can be asked with GET'));
  const { id, key } = await gate.call('createKey', { ...KEY, scopes: scopesOf(route) });
  const headers = { [policy.own.api_keys.header ?? 'X-API-Key']: key };
  const used = async () => ask(origin + pathOf(route.path), { headers });
  let before;
  let began;
  try {
    before = await used();
  } finally {
    began = performance.now();
    await gate.call('revokeKey', id);
  }
  if (!isAdmitted(before)) return add('logout', unknown(`a new key is not admitted: ${said(before)}`));
  const bound = boundOfKeys(policy);
  const refused = await until(bound, async () => codeOf(await used()) === 'API_KEY_REVOKED');
  return add('logout', refused
    ? pass(`a new API key was admitted, revoked, and refused here after ${seconds(began)} s (at most ${bound})`)
    : fail(`a revoked API key is still admitted here after ${bound} s`, { path: 'revocation', fix: 'docs/revocation.md' }));
}

const scopesOf = ({ scopes = {} }) => [...list(scopes.all), ...list(scopes.any).slice(0, 1)];

/** Whether such a caller may ask it, and nothing else closes it. */
const isOpenTo = (route, kind) => needsCredential(route) && (route.accept ?? [kind]).includes(kind) && (route.methods ?? ['GET']).includes('GET')
  && ['issuers', 'claims', 'ips', 'grant', 'answer', 'acr_values', 'max_auth_age_secs'].every((name) => route[name] === undefined);

const routeFor = ({ routes }, kind) => routes.find((route) => isOpenTo(route, kind));

// ---- a session: opened, refreshed, ended ----

async function ofSession({ url, origin, gate, policy }, add) {
  if (!policy?.sessions) return add('refresh', skip('the policy has no sessions'));
  const route = routeFor(policy, 'jwt');
  const subject = `edgegate-doctor-${randomUUID()}`;
  const opened = await gate.call('openSession', { subject, scopes: route ? scopesOf(route) : [], remember: false });
  const target = origin + pathOf(route?.path ?? '/');
  let token = opened.access_token;
  const used = async () => ask(target, { headers: { Authorization: `Bearer ${token}` } });
  let before;
  let began;
  try {
    token = (await refreshedToken({ url, opened }, add)) ?? token;
    if (policy.sessions.cookies) add('cookies', await cookiesOf({ url, gate, policy, subject }));
    before = await used();
  } finally {
    began = performance.now();
    await gate.call('endSessions', { subject });
  }
  if (route === undefined) return add('logout', unknown('no route takes a token and can be asked with GET'));
  if (!isAdmitted(before)) return add('logout', unknown(`a new token is not admitted: ${said(before)}`));
  const bound = boundOfTokens(policy);
  const refused = await until(bound, async () => codeOf(await used()) === 'TOKEN_REVOKED');
  return add('logout', refused
    ? pass(`the token of a session was admitted, the session ended, and the token refused here after ${seconds(began)} s (at most ${bound})`)
    : fail(`the token of a session that has ended is still admitted here after ${bound} s`, { path: 'revocation' }));
}

async function refreshedToken({ url, opened }, add) {
  const answer = await ask(`${url}/refresh`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ refreshToken: opened.refresh_token }) });
  const token = answer.failed ? undefined : json(answer)?.accessToken;
  const isNew = typeof token === 'string' && token !== opened.access_token;
  add('refresh', isNew
    ? pass('a session was opened, and its refresh token gave new tokens')
    : fail(`a refresh token gave no new ones: ${said(answer)}`, { path: 'sessions' }));
  return isNew ? token : undefined;
}

async function cookiesOf({ url, gate, policy, subject }) {
  const { ticket } = await gate.call('openSession', { subject, scopes: [], remember: false, ticket: true });
  const own = policy.origin ?? new URL(url).origin;
  const answer = await ask(`${url}/session/start`, { method: 'POST', headers: { Origin: own, 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json' }, body: JSON.stringify({ ticket }) });
  const { setCookies = [] } = answer;
  if (setCookies.length === 0) return unknown(`no cookie was set: ${said(answer)}`);
  const wrong = setCookies.filter((line) => !['httponly', 'secure', 'path=/'].every((flag) => line.toLowerCase().split(/;\s*/).includes(flag)) || !/samesite=(lax|strict)/i.test(line) || !line.startsWith('__Host-'));
  return wrong.length === 0
    ? pass(`the cookies of a session are ${setCookies.map((line) => line.split('=')[0]).join(', ')}: HttpOnly, Secure, SameSite, for this host alone`)
    : fail(`not as they should be: ${wrong.map((line) => line.split('=')[0]).join(', ')}`);
}

// ---- a limit: reached, and told ----

/** Somebody whom the gate lets in for a while; nothing if there is nobody whom this route takes. */
async function asCaller({ gate, policy }, route, use) {
  const takes = (kind) => (route.accept ?? [kind]).includes(kind);
  if (policy.sessions && takes('jwt')) {
    const subject = `edgegate-doctor-${randomUUID()}`;
    try {
      const { access_token: token } = await gate.call('openSession', { subject, scopes: scopesOf(route), remember: false });
      return await use({ Authorization: `Bearer ${token}` });
    } finally {
      await gate.call('endSessions', { subject });
    }
  }
  if (policy.own.api_keys === undefined || !takes('api_key')) return undefined;
  const { id, key } = await gate.call('createKey', { ...KEY, scopes: scopesOf(route) });
  try {
    return await use({ [policy.own.api_keys.header ?? 'X-API-Key']: key });
  } finally {
    await gate.call('revokeKey', id);
  }
}

/** A limit that a few requests reach, where all isolates count together, and a route that has it alone. */
function limitedRoute({ routes, own }) {
  for (const route of routes) {
    const limit = list(own.limits).find(({ name }) => list(route.limits).join() === name);
    const requests = limit && Math.floor((limit.burst ?? limit.requests) / (route.cost ?? 1));
    const isExact = ['durable-object', 'shared'].includes(limit?.store ?? 'durable-object') && limit?.lease === undefined;
    if (limit && isExact && requests <= MAX_LIMIT && isOpenTo(route, 'jwt')) return { route, limit, requests };
  }
  return undefined;
}

async function ofLimits(facts, add) {
  const found = facts.policy && limitedRoute(facts.policy);
  if (!found) return add('docs-limits', skip(`no route has a limit that ${MAX_LIMIT} requests reach`));
  const { route, limit: { name }, requests } = found;
  return add('docs-limits', (await asCaller(facts, route, async (headers) => {
    // A window may end meanwhile, and a bucket fills again.
    for (let sent = 0; sent <= 2 * requests + 1; sent += 1) {
      const answer = await ask(facts.origin + pathOf(route.path), { headers });
      if (codeOf(answer) === 'RATE_LIMITED') return announced(answer, name, sent);
      if (!isAdmitted(answer)) return unknown(`a new caller is not admitted: ${said(answer)}`);
    }
    return fail(`more than ${2 * requests} requests, and the limit ${name} has refused none`, { path: 'limits' });
  })) ?? unknown('nobody can be made whom the route takes'));
}

function announced({ headers }, name, sent) {
  const missing = ['retry-after', 'ratelimit', 'ratelimit-policy'].filter((field) => !headers.has(field));
  return missing.length === 0
    ? pass(`the limit ${name} refuses after ${sent} requests, with Retry-After, RateLimit and RateLimit-Policy`)
    : fail(`the limit ${name} refuses after ${sent} requests, without ${missing.join(', ')}`);
}

// ---- wrong credentials: counted, bounded, told ----

async function ofFailures(facts, add) {
  const { policy, gate } = facts;
  if (policy === undefined) return add('attempts', unknown('the policy is not here', { fix: 'say --policy FILE' }));
  const route = routeFor(policy, 'jwt') ?? routeFor(policy, 'api_key');
  const target = facts.origin + pathOf(route?.path ?? '/');
  const isWatched = policy.own.watch !== undefined;
  const wasFiring = isWatched && (await statesOf(gate)).some((state) => state !== 'ok');
  const before = isWatched ? await failuresOf(gate) : 0;
  const began = performance.now();
  let sent = 0;
  const wrong = async () => {
    sent += 1;
    return ask(target, { headers: forged(policy) });
  };
  const first = await wrong();
  if (isWatched) {
    const counted = await until(COUNTED_WITHIN_SECS, async () => (await failuresOf(gate)) >= before + sent);
    add('failures-logged', counted ? pass(`a forged credential (${codeOf(first)}) was counted in the watch after ${counted.secs} s; where others call, theirs are among what is counted`) : fail(`a forged credential was not counted in the watch within ${COUNTED_WITHIN_SECS} s`, { path: 'watch' }));
  } else add('failures-logged', skip('the policy has no watch'));
  add('attempts', await bounded(policy, wrong, () => sent), ...await genuineBeside(facts, target));
  add('alerts', wasFiring ? unknown(`the rule ${RULE} was firing before`, { fix: 'ask again when it is over: npx edgegate watch' }) : await alerted({ ...facts, began, sent: () => sent }, wrong));
}

const failuresOf = async (gate) => {
  const { codes } = await gate.call('watch', { window: '5m' });
  return WATCHED_CODES.reduce((sum, code) => sum + (codes[code] ?? 0), 0);
};

const statesOf = async (gate) => (await gate.call('watch', { window: '5m' })).alerts.filter((one) => one.rule === RULE).map(({ state }) => state);

/** Wrong ones until one is not looked at. */
async function bounded({ failed_authentication: { enabled, requests } }, wrong, sent) {
  if (!enabled) return fail('nothing bounds guesses', { path: 'failed_authentication' });
  if (requests > MAX_FAILURES) return unknown(`${requests} wrong ones are too many to be sent`);
  while (sent() <= requests + 1) {
    const answer = await wrong();
    if (answer.failed) return unknown(`no answer: ${answer.failed}`);
    if (answer.status === 429) {
      const wait = answer.headers.get('retry-after');
      return wait ? pass(`after ${sent() - 1} wrong credentials the next is not looked at: 429, Retry-After ${wait}. This address waits as long`) : fail('429 without Retry-After');
    }
  }
  return fail(`${sent()} wrong credentials from here, and none was refused with 429`, { path: 'failed_authentication', fix: 'does client_ip_header have the caller\'s address?' });
}

/** What blocks guesses must not block who has something genuine: a whole office may have one address. */
async function genuineBeside(facts, target) {
  const { policy } = facts;
  const route = routeFor(policy, 'jwt');
  // A key of the gate would do as well, but one that was imported would not.
  if (!policy.sessions || !policy.failed_authentication.enabled || route === undefined) return [];
  return [await asCaller(facts, route, async (headers) => {
    const answer = await ask(target, { headers });
    return isAdmitted(answer) ? pass('beside them a genuine token is admitted') : fail(`beside them a genuine token is refused: ${said(answer)}`);
  })];
}

async function alerted({ gate, policy, listening, wait, began, sent }, wrong) {
  if (policy.own.watch === undefined) return skip('the policy has no watch');
  const rule = list(policy.own.watch.rules).find(({ name }) => name === RULE);
  const above = rule?.above ?? DEFAULT_ABOVE;
  if (rule?.off) return skip(`the rule ${RULE} is off`);
  if (above > MAX_FAILURES) return unknown(`the rule ${RULE} wants more than ${above} failures, which are too many to be sent`, { fix: 'try it on a gate of yours with a smaller number' });
  while (sent() <= above) await wrong();
  const fired = await until(wait, async () => (await statesOf(gate)).includes('firing'));
  if (!fired) return fail(`${sent()} forged credentials, and the rule ${RULE} does not fire within ${wait} s`, { path: 'watch.rules' });
  const firing = pass(`${sent()} forged credentials, and the rule ${RULE} fires ${seconds(began)} s after the first`);
  const told = await toldOf(listening, 'alert.firing', wait);
  const over = await until(Math.max(0, wait - seconds(began)), async () => (await statesOf(gate)).every((state) => state === 'ok'));
  if (!over) return [firing, told, unknown(`it was not seen to end within ${wait} s`, { fix: 'say --wait 15m' })];
  const ended = pass(`it is over ${seconds(began)} s after the first`);
  return [firing, told, ended, ...(listening && told.state !== 'FAIL' ? [await toldOf(listening, 'alert.resolved', wait)] : [])];
}

async function toldOf(listening, type, wait) {
  if (listening === undefined) return unknown('whether a webhook arrives was not looked at', { fix: 'say --receiver PORT, where a sink of the policy leads to: docs/production-checklist.md' });
  const found = await until(wait, async () => listening.find((one) => one.type === type && one.data?.rule === RULE));
  if (!found) return fail(`no webhook ${type} has arrived within ${wait} s`, { path: 'watch.sinks', fix: 'does a sink of kind webhook lead to the receiver? Within cool_down_secs of the last alert nobody is told again' });
  const { signed } = found.found;
  if (signed === undefined) return warn(`the webhook ${type} has arrived after ${found.secs} s; its signature was not looked at`, { fix: 'say --receiver-secret FILE' });
  return signed ? pass(`the webhook ${type} has arrived after ${found.secs} s, with a good signature`) : fail(`the signature of the webhook ${type} is wrong`, { fix: 'is --receiver-secret that of the sink?' });
}
