// The token: read while it is typed, checked by the engine.

import { createVerifier, decodeUnverified, importKey, ready, signJws } from '../pkg/browser.js';

import { date, duration, inspect } from './checks.js';
import { inkJson, inkToken } from './colors.js';
import { $, bringIntoView, copyButton, element, grow, say } from './elements.js';
import { example } from './example.js';
import { remedy } from './remedy.js';

const MAX_JWKS_LENGTH = 64 * 1024;
const TYPING_MILLIS = 150;

// ---- the key ----

/** Sets that were fetched in this visit, by their URL. */
const fetchedSets = new Map();

/** A key set whose URL has not been asked yet. */
class NotFetched extends Error {}

/** What the key field holds, as the engine takes it; `algorithm` is what the token says, which the key has to confirm. */
async function sourceOf(text, algorithm, mayFetch) {
  const named = /^(RS|PS|ES)\d|^EdDSA$|^Ed25519$/.test(algorithm) ? { algorithms: [algorithm] } : {};
  if (text === '') return null;
  if (/^https?:\/\//.test(text)) return { jwks: await setOf(text, mayFetch), ...named };
  if (text.startsWith('{')) {
    const object = JSON.parse(text);
    if (Array.isArray(object.keys)) return { jwks: object, ...named };
    const secret = object.kty === 'oct' && algorithm.startsWith('HS') ? { algorithms: [algorithm] } : named;
    return { key: object, algorithms: (await importKey(object)).algorithms, ...secret };
  }
  if (text.startsWith('-----BEGIN')) return { key: text, algorithms: (await importKey(text)).algorithms, ...named };
  return { key: new TextEncoder().encode(text), algorithms: [/^HS(256|384|512)$/.test(algorithm) ? algorithm : 'HS256'] };
}

/** Nothing is fetched for a URL that is still being typed. */
async function setOf(uri, mayFetch) {
  if (mayFetch) fetchedSets.set(uri, await fetched(uri));
  if (!fetchedSets.has(uri)) throw new NotFetched();
  return fetchedSets.get(uri);
}

async function fetched(uri) {
  let response;
  try {
    response = await fetch(uri, { redirect: 'error', credentials: 'omit', headers: { accept: 'application/jwk-set+json, application/json' } });
  } catch {
    throw new Error('The set could not be fetched. The address may be wrong, or its server does not let other pages read it (CORS). '
      + 'Open the address in a tab, and paste the set here.');
  }
  if (!response.ok) throw new Error(`The URL of the set answered with status ${response.status}.`);
  const text = await response.text();
  if (text.length > MAX_JWKS_LENGTH) throw new Error('The set has more than 64 KiB.');
  return JSON.parse(text);
}

const kidsOf = (source) => (source?.jwks?.keys ?? [source?.key]).map((key) => key?.kid).filter((kid) => typeof kid === 'string');

// ---- what is shown ----

const MARKS = { good: '✓ holds', bad: '✗ fails', open: '– open' };

/** Both values, and what would help. */
function help({ token, expected, line, note }) {
  const shown = [];
  if (token !== undefined) {
    shown.push(element('dl', [element('dt', 'token'), element('dd', token), element('dt', 'expected'), element('dd', String(expected))], 'compare'));
  }
  if (line !== undefined) {
    shown.push(element('div', [element('span', 'In the policy: '), element('code', line), copyButton('the line of the policy', () => line)], 'remedy'));
  }
  if (note !== undefined) shown.push(element('p', note, 'hint'));
  return shown;
}

function showChecks(checks, seen) {
  const rows = checks.map(({ name, state, detail, error }) => {
    const said = [element('span', detail, 'detail'), ...(state === 'bad' ? help(remedy(name, { ...seen, error })) : [])];
    const row = element('tr', [element('td', name), element('td', [element('span', MARKS[state], `mark ${state}`)]), element('td', said)]);
    row.dataset.check = name;
    row.dataset.state = state;
    return row;
  });
  $('checks').tBodies[0].replaceChildren(...rows);
  $('checks').hidden = false;
}

let ticking;

/** Keeps the time left true while the page is looked at; not announced, or it would never be quiet. */
function countDown(exp) {
  const place = document.querySelector('[data-check="Expiry"]:not([data-state="bad"]) .detail');
  if (!place || !Number.isFinite(exp)) return;
  ticking = setInterval(() => {
    const left = exp - Date.now() / 1000;
    place.textContent = left > 0 ? `${duration(left)} left` : 'expired since it was checked';
    if (left <= 0) clearInterval(ticking);
  }, 1000);
}

/** What the times say, for a token that nobody has verified. */
function timesOf({ exp }, failed, now) {
  if (!Number.isFinite(exp)) return 'it has no time at which it ends';
  if (failed.includes('expiry')) return `expired since ${date(exp)} (${duration(now - exp)} ago)`;
  return `${duration(exp - now)} left`;
}

function showVerdict({ payload, checks, genuine, admitted }, hasKey, now) {
  const verdict = $('verdict');
  const failed = checks.filter(({ state }) => state === 'bad').map(({ name }) => name.toLowerCase());
  if (admitted) return say(verdict, 'good', 'This token is good', 'Genuine, and every check that was asked for holds.');
  if (genuine) return say(verdict, 'bad', 'Genuine, but refused', `What fails: ${failed.join(', ')}.`);
  if (payload === undefined || hasKey) return say(verdict, 'bad', 'Refused', `What fails: ${failed.join(', ')}. Anybody could have written what it says.`);
  const others = failed.filter((name) => name !== 'expiry');
  const more = others.length > 0 ? ` It would be refused by: ${others.join(', ')}.` : '';
  return say(verdict, failed.length > 0 ? 'bad' : '', `Not verified; ${timesOf(payload, failed, now)}`, `Without a key this is only what somebody wrote.${more}`);
}

function showNothing() {
  $('checks').hidden = true;
  $('contents').hidden = true;
}

/** How many checks have begun: what an older one finds is not shown any more. */
let begun = 0;
let typing;

async function checkToken({ mayFetch }) {
  clearTimeout(typing);
  begun += 1;
  const mine = begun;
  const token = $('token').value.trim().replace(/^Bearer +/i, '');
  const expected = { issuer: $('issuer').value.trim() || undefined, audience: $('audience').value.trim() || undefined };
  if (token === '') {
    clearInterval(ticking);
    showNothing();
    return say($('verdict'), '', '', 'Paste a token to see what is in it and what holds.');
  }
  let found;
  try {
    found = await lookAt(token, expected, mayFetch);
  } catch (error) {
    if (mine !== begun) return undefined;
    clearInterval(ticking);
    showNothing();
    return say($('verdict'), 'bad', 'The key cannot be used', error instanceof SyntaxError ? 'It looks like JSON, and is none.' : error.message);
  }
  if (mine !== begun) return undefined;
  show(found, expected);
  if (found.waits) say($('verdict'), '', 'Not verified yet', 'Press “Check” to fetch the key set.');
  return undefined;
}

async function lookAt(token, expected, mayFetch) {
  await ready();
  let algorithm = '';
  try {
    algorithm = String(decodeUnverified(token).header.alg ?? '');
  } catch {
    // The checks say what is wrong with it.
  }
  let source = null;
  let waits = false;
  try {
    source = await sourceOf($('key').value.trim(), algorithm, mayFetch);
  } catch (error) {
    if (!(error instanceof NotFetched)) throw error;
    waits = true;
  }
  return { source, waits, result: await inspect({ createVerifier, decodeUnverified, signJws }, token, source, expected) };
}

function show({ source, result }, expected) {
  clearInterval(ticking);
  const { header, payload, checks, genuine } = result;
  const now = Math.floor(Date.now() / 1000);
  showChecks(checks, { header, payload, expected, now, kids: kidsOf(source), algorithms: source?.algorithms ?? [] });
  $('contents').hidden = payload === undefined;
  $('contents').classList.toggle('untrusted', !genuine);
  $('header').replaceChildren(...inkJson(header));
  $('claims').replaceChildren(...inkJson(payload, { times: true }));
  showVerdict(result, source !== null, now);
  if (payload !== undefined && (genuine || source === null)) countDown(payload.exp);
}

// ---- the form ----

function ink() {
  $('token-ink').replaceChildren(...inkToken($('token').value));
}

function onInput() {
  ink();
  grow($('key'));
  clearTimeout(typing);
  typing = setTimeout(() => checkToken({ mayFetch: false }), TYPING_MILLIS);
}

function fill({ token = '', jwk, issuer = '', audience = '' }) {
  $('token').value = token;
  $('key').value = jwk === undefined ? '' : JSON.stringify(jwk, null, 2);
  $('issuer').value = issuer;
  $('audience').value = audience;
  ink();
  grow($('key'));
  return checkToken({ mayFetch: false });
}

export function startToken() {
  for (const id of ['token', 'key', 'issuer', 'audience']) $(id).addEventListener('input', onInput);
  $('token-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    await checkToken({ mayFetch: true });
    bringIntoView($('verdict'));
  });
  $('example').addEventListener('click', async () => fill(await example()));
  $('clear').addEventListener('click', async () => {
    await fill({});
    $('token').focus();
  });
  for (const id of ['header', 'claims']) $(`${id}-heading`).after(copyButton(`the ${id}`, () => $(id).textContent));
  // On a phone the verdict is nearer without these fields.
  $('expectations').open = matchMedia('(min-width: 56rem)').matches;
}

/** The first sight is an example, unless somebody has begun already. */
export async function showExample() {
  if ($('token').value === '') await fill(await example());
}
