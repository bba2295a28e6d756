// Wires the page to the engine. What is pasted goes to the engine in this page and nowhere else.

import { createApiKeys, createVerifier, decodeUnverified, importKey, ready } from '../pkg/browser.js';

import { bars } from './chart.js';
import { date, duration, inspect } from './checks.js';
import { example } from './example.js';
import { measure } from './speed.js';

const $ = (id) => document.getElementById(id);

/** Elements from text: nothing that was pasted is ever read as HTML. */
function element(name, content = '', className = '') {
  const made = document.createElement(name);
  if (typeof content === 'string') made.textContent = content;
  else made.append(...content);
  if (className) made.className = className;
  return made;
}

function say(place, kind, title, detail = '') {
  place.className = `verdict ${kind}`;
  place.replaceChildren(...(title ? [element('strong', title)] : []), detail);
}

// ---- the token ----

const MAX_JWKS_LENGTH = 64 * 1024;

/** What the key field holds, as the engine takes it; `algorithm` is what the token says, which the key has to confirm. */
async function sourceOf(text, algorithm) {
  const named = /^(RS|PS|ES)\d|^EdDSA$|^Ed25519$/.test(algorithm) ? { algorithms: [algorithm] } : {};
  if (text === '') return null;
  if (/^https?:\/\//.test(text)) return { jwks: await fetched(text), ...named };
  if (text.startsWith('{')) {
    const object = JSON.parse(text);
    if (Array.isArray(object.keys)) return { jwks: object, ...named };
    const secret = object.kty === 'oct' && algorithm.startsWith('HS') ? { algorithms: [algorithm] } : named;
    return { key: object, algorithms: (await importKey(object)).algorithms, ...secret };
  }
  if (text.startsWith('-----BEGIN')) return { key: text, algorithms: (await importKey(text)).algorithms, ...named };
  return { key: new TextEncoder().encode(text), algorithms: [/^HS(256|384|512)$/.test(algorithm) ? algorithm : 'HS256'] };
}

async function fetched(uri) {
  const response = await fetch(uri, { redirect: 'error', credentials: 'omit', headers: { accept: 'application/jwk-set+json, application/json' } });
  if (!response.ok) throw new Error(`the JWKS URL answered ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_JWKS_LENGTH) throw new Error('the JWKS has more than 64 KiB');
  return JSON.parse(text);
}

const MARKS = { good: '✓ holds', bad: '✗ fails', open: '– not asked' };

function showChecks(checks) {
  const rows = checks.map(({ name, state, detail }) => {
    const row = element('tr', [element('td', name), element('td', [element('span', MARKS[state], `mark ${state}`)]), element('td', detail)]);
    row.dataset.check = name;
    row.dataset.state = state;
    return row;
  });
  $('checks').tBodies[0].replaceChildren(...rows);
  $('checks').hidden = false;
}

/** Times of the claims in words, beside the numbers. */
function withTimes(payload) {
  const text = JSON.stringify(payload, null, 2);
  return text.replace(/^( {2}"(?:exp|nbf|iat|auth_time)": )(\d{1,12})(,?)$/gm, (line, name, secs) => `${line}   // ${date(Number(secs))}`);
}

let ticking;

/** Keeps the time left true while the page is looked at; not announced, or it would never be quiet. */
function countDown(exp) {
  clearInterval(ticking);
  const place = document.querySelector('[data-check="Expiry"][data-state="good"] td:last-child');
  if (!place || !Number.isFinite(exp)) return;
  ticking = setInterval(() => {
    const left = exp - Date.now() / 1000;
    place.textContent = left > 0 ? `${duration(left)} left` : 'expired since it was checked';
    if (left <= 0) clearInterval(ticking);
  }, 1000);
}

async function checkToken() {
  const verdict = $('verdict');
  const token = $('token').value.trim().replace(/^Bearer +/i, '');
  clearInterval(ticking);
  let result;
  try {
    await ready();
    let algorithm = '';
    try {
      algorithm = String(decodeUnverified(token).header.alg ?? '');
    } catch {
      // The checks say what is wrong with it.
    }
    const source = await sourceOf($('key').value.trim(), algorithm);
    const expected = { issuer: $('issuer').value.trim() || undefined, audience: $('audience').value.trim() || undefined };
    result = await inspect({ createVerifier, decodeUnverified }, token, source, expected);
  } catch (error) {
    $('checks').hidden = true;
    $('contents').hidden = true;
    say(verdict, 'bad', 'The key cannot be used', error instanceof SyntaxError ? 'It looks like JSON, and is none.' : error.message);
    return;
  }
  const { header, payload, checks, genuine, admitted } = result;
  showChecks(checks);
  $('contents').hidden = payload === undefined;
  $('contents').classList.toggle('untrusted', !genuine);
  $('header').textContent = JSON.stringify(header, null, 2) ?? '';
  $('claims').textContent = payload === undefined ? '' : withTimes(payload);
  const failed = checks.filter(({ state }) => state === 'bad').map(({ name }) => name.toLowerCase());
  if (admitted) say(verdict, 'good', 'This token is good', 'Genuine, and every check that was asked for holds.');
  else if (genuine) say(verdict, 'bad', 'Genuine, but refused', `What fails: ${failed.join(', ')}.`);
  else if (failed.length > 0) say(verdict, 'bad', 'Refused', `What fails: ${failed.join(', ')}. Anybody could have written what it says.`);
  else say(verdict, '', 'Not verified', 'Without a key this is only what somebody wrote.');
  if (genuine) countDown(payload.exp);
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  checkToken();
});

$('example').addEventListener('click', async () => {
  const { token, jwk, issuer, audience } = await example();
  $('token').value = token;
  $('key').value = JSON.stringify(jwk, null, 2);
  $('issuer').value = issuer;
  $('audience').value = audience;
  await checkToken();
});

// ---- API keys ----

const randomSecret = () => Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, '0')).join('');

const apiKeys = () => createApiKeys({
  environment: $('environment').value.trim(),
  prefixes: [$('prefix').value.trim()],
  signingKeys: [{ id: 1, secret: $('signing-secret').value.trim() }],
});

function showFacts(facts) {
  const { id, prefix, expiresAt, signingKeyId } = facts;
  const rows = { 'key id': id, prefix, 'signed with': signingKeyId === undefined ? undefined : `secret ${signingKeyId}`, expires: expiresAt === undefined ? 'never' : date(expiresAt) };
  $('key-facts').replaceChildren(...Object.entries(rows).filter(([, value]) => value !== undefined).flatMap(([name, value]) => [element('dt', name), element('dd', String(value))]));
  $('key-facts').hidden = false;
}

async function withKeys(step) {
  try {
    await ready();
    step(apiKeys());
  } catch (error) {
    $('key-facts').hidden = true;
    say($('key-verdict'), 'bad', error.code === 'CONFIG_ERROR' ? 'These settings are refused' : 'Refused', error.message);
  }
}

$('mint-form').addEventListener('submit', (event) => {
  event.preventDefault();
  withKeys((keys) => {
    const lifetime = Number($('lifetime').value);
    const minted = keys.mint(lifetime ? { expiresAt: Math.floor(Date.now() / 1000) + lifetime } : {});
    $('api-key').value = minted.key;
    say($('key-verdict'), 'good', 'A new key', 'It stands in the field above. The gate would show it this once.');
    showFacts(minted);
  });
});

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  withKeys((keys) => {
    const facts = keys.verify($('api-key').value.trim());
    say($('key-verdict'), 'good', 'This key is good', 'Its tag holds, and nothing had to be looked up.');
    showFacts(facts);
  });
});

// ---- speed ----

$('measure').addEventListener('click', async () => {
  const button = $('measure');
  button.disabled = true;
  $('speed').hidden = true;
  try {
    await ready();
    const results = await measure((name) => {
      $('speed-status').textContent = `Measuring ${name} …`;
    });
    const rows = results.map(({ name, micros, perSecond }) => element('tr', [
      element('td', name),
      element('td', micros.toFixed(micros < 10 ? 2 : 1), 'number'),
      element('td', Math.round(perSecond).toLocaleString('en'), 'number'),
    ]));
    const head = element('thead', [element('tr', ['What', 'µs each', 'a second'].map((text) => Object.assign(element('th', text), { scope: 'col' })))]);
    const table = element('table', [element('caption', 'Median of five rounds'), head, element('tbody', rows)]);
    $('speed').replaceChildren(bars(results.map(({ name, micros }) => ({ name, value: micros })), 'Microseconds for one verification: shorter is faster'), table);
    $('speed').hidden = false;
    $('speed-status').textContent = `Done: ${results[0].name} takes ${results[0].micros.toFixed(1)} µs here.`;
  } catch (error) {
    $('speed-status').textContent = `Not measured: ${error.message}`;
  } finally {
    button.disabled = false;
  }
});

// ---- start ----

$('signing-secret').value = randomSecret();
document.documentElement.dataset.state = 'loading';
ready().then(
  () => {
    document.documentElement.dataset.state = 'ready';
  },
  (error) => say($('verdict'), 'bad', 'The engine cannot be loaded', error.message),
);

/** Keeps what the page has loaded for visits without a network. Where that is not allowed, it works online all the same. */
async function keepForOffline() {
  await navigator.serviceWorker.register('./offline.js');
  const { active } = await navigator.serviceWorker.ready;
  navigator.serviceWorker.addEventListener('message', () => {
    document.documentElement.dataset.offline = 'ready';
  });
  await ready();
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  active.postMessage([...new Set([location.href.replace(/#.*/, ''), ...loaded])]);
}

if ('serviceWorker' in navigator) keepForOffline().catch(() => {});
