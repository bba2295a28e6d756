// A policy and a request: what the gate says, and why.

import { createGate, memoryStore } from '../pkg/browser.js';

import { $, bringIntoView, copyButton, element, grow, say } from './elements.js';
import { stepsOf } from './explain.js';
import { EXAMPLES, forPage, readPolicy, secretNames } from './policy-text.js';
import { standIn, tokenOf } from './stand-in.js';

const CLIENT_IP = '203.0.113.7';

const randomText = () => Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, '0')).join('');

// ---- the gate ----

/** A gate, and what the page knows of it. It is kept while the policy stays, so that limits count. */
async function gateOf(text, hasOwnKeys) {
  const { policy, left } = forPage(await readPolicy(text));
  const known = hasOwnKeys ? await standIn(policy) : { policy, keys: [], secrets: {} };
  const store = memoryStore();
  const made = Object.fromEntries(secretNames(known.policy).map((name) => [name, randomText()]));
  const gate = createGate(known.policy, {
    secrets: { ...made, ...known.secrets },
    stores: { revocation: store, counters: store, keys: store },
  });
  await gate.ready();
  return { gate, left, minted: new Map(), ...known };
}

let kept;

async function currentGate(text, hasOwnKeys) {
  const name = `${hasOwnKeys} ${text}`;
  if (kept?.name !== name) kept = { name, made: await gateOf(text, hasOwnKeys) };
  return kept.made;
}

// ---- who calls ----

const caller = () => document.querySelector('input[name=caller]:checked').value;

function headerLines(text) {
  const headers = new Headers();
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`A header is a name, a colon and a value: ${line.trim()}`);
    headers.append(name, value);
  }
  return headers;
}

async function apiKey({ gate, minted }, scopes) {
  const name = scopes.join(' ');
  if (!minted.has(name)) minted.set(name, (await gate.keys.mint({ name: 'page', owner: 'alice', scopes, expiresInSecs: 3600 })).key);
  return minted.get(name);
}

function claimsWritten() {
  try {
    return JSON.parse($('caller-claims').value || '{}');
  } catch {
    throw new Error('The claims are no JSON object.');
  }
}

async function headersOf(known) {
  switch (caller()) {
    case 'token': return { Authorization: `Bearer ${await tokenOf(known, claimsWritten(), Math.floor(Date.now() / 1000))}` };
    case 'key': {
      const scopes = $('caller-scopes').value.split(/[\s,]+/).filter(Boolean);
      return { [known.policy.api_keys?.header ?? 'X-API-Key']: await apiKey(known, scopes) };
    }
    case 'headers': return headerLines($('caller-headers').value);
    default: return {};
  }
}

// ---- what is shown ----

const MARKS = { passed: '✓', refused: '✗', would_be_asked: '?' };

function showSteps(steps) {
  $('steps').replaceChildren(...steps.map(({ step, verdict, detail = '', policyPath: path }) => {
    const shown = [element('span', MARKS[verdict], `mark ${verdict === 'refused' ? 'bad' : 'good'}`), element('b', step), element('span', detail, 'detail')];
    if (path) shown.push(element('code', path));
    const item = element('li', shown);
    item.dataset.step = step;
    item.dataset.verdict = verdict;
    return item;
  }));
  $('steps').hidden = false;
}

const lines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join('\n');

function showDecision(decision) {
  if (decision.ok) {
    say($('request-verdict'), 'good', 'Admitted', 'The request goes on to your service, with these headers in place of the credential.');
    $('answer-heading').textContent = 'What your service gets';
    $('answer-text').textContent = lines(decision.forward);
  } else {
    const kind = decision.code === undefined ? 'good' : 'bad';
    say($('request-verdict'), kind, [decision.status, decision.code].filter(Boolean).join(' '), decision.code === undefined ? 'The gate answers.' : `Reason, for the log only: ${decision.reason}`);
    $('answer-heading').textContent = 'What the caller gets';
    $('answer-text').textContent = `HTTP ${decision.status}\n${lines(decision.headers)}\n\n${decision.body}`;
  }
  $('answer').hidden = false;
}

function showNothing() {
  for (const id of ['steps', 'answer', 'aside']) $(id).hidden = true;
}

function showLeft(left) {
  $('aside').textContent = `Not looked at in this page: ${left.join(', ')}.`;
  $('aside').hidden = left.length === 0;
}

// ---- asking ----

async function ask() {
  const path = $('path').value.trim();
  const method = $('method').value;
  const known = await currentGate($('policy').value, caller() !== 'headers');
  const headers = new Headers(await headersOf(known));
  const url = new URL(known.policy.origin ?? 'https://api.example.com').origin + (path.startsWith('/') ? path : `/${path}`);
  // Before the check, which takes from the limits.
  const why = await known.gate.explain({ method, url, headers }, { clientIp: CLIENT_IP });
  const decision = await known.gate.check({ method, url, headers }, { clientIp: CLIENT_IP });
  showDecision(decision);
  showSteps(stepsOf(why, decision));
  showLeft(known.left);
}

async function onSubmit(event) {
  event.preventDefault();
  try {
    await ask();
  } catch (error) {
    showNothing();
    const title = error.code === 'CONFIG_ERROR' ? 'The policy is refused' : 'The gate cannot be asked';
    say($('request-verdict'), 'bad', error instanceof SyntaxError ? 'The policy cannot be read' : title, error.message);
  }
  bringIntoView($('request-verdict'));
}

function showCaller() {
  for (const field of document.querySelectorAll('[data-caller]')) field.hidden = field.dataset.caller !== caller();
}

function fill(name) {
  const { policy, path, claims } = EXAMPLES[name];
  $('policy').value = policy;
  $('path').value = path;
  $('caller-claims').value = JSON.stringify(claims, null, 2);
  grow($('caller-claims'));
  showNothing();
  say($('request-verdict'), '', '', 'Ask, and see what the gate says and why.');
}

export function startRequest() {
  fill('both');
  $('policy-example').addEventListener('change', () => fill($('policy-example').value));
  $('request-form').addEventListener('submit', onSubmit);
  for (const choice of document.querySelectorAll('input[name=caller]')) choice.addEventListener('change', showCaller);
  $('answer-heading').after(copyButton('the answer', () => $('answer-text').textContent));
  showCaller();
}
