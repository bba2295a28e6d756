// API keys: minted and checked by the engine.

import { createApiKeys, ready } from '../pkg/browser.js';

import { date } from './checks.js';
import { $, copyButton, element, say } from './elements.js';

const randomSecret = () => Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, '0')).join('');

const apiKeys = () => createApiKeys({
  environment: $('environment').value.trim(),
  prefixes: [$('prefix').value.trim()],
  signingKeys: [{ id: 1, secret: $('signing-secret').value.trim() }],
});

function showFacts({ id, prefix, expiresAt, signingKeyId }) {
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

function mint(keys) {
  const lifetime = Number($('lifetime').value);
  const minted = keys.mint(lifetime ? { expiresAt: Math.floor(Date.now() / 1000) + lifetime } : {});
  $('api-key').value = minted.key;
  say($('key-verdict'), 'good', 'A new key', 'Copy it from the field above. A gate shows it only once, too.');
  showFacts(minted);
}

function check(keys) {
  const facts = keys.verify($('api-key').value.trim());
  say($('key-verdict'), 'good', 'This key is good', 'Its tag holds, and nothing had to be looked up.');
  showFacts(facts);
}

export function startApiKeys() {
  $('signing-secret').value = randomSecret();
  for (const [form, step] of [['mint-form', mint], ['key-form', check]]) {
    $(form).addEventListener('submit', (event) => {
      event.preventDefault();
      withKeys(step);
    });
  }
  document.querySelector('label[for=api-key]').after(copyButton('the API key', () => $('api-key').value));
}
