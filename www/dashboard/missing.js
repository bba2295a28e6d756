// What is not there, and which lines of the policy would bring it.

import { h } from './elements.js';

const SECTIONS = {
  watch: ['This policy has no watch', 'The gate counts nothing, and no rule is looked at. These lines bring it, with the Durable Object EDGEGATE_WATCH (docs/watch.md):', '[vars.POLICY.watch]'],
  keys: ['This policy has no API keys', 'These lines bring them (docs/api-keys.md):', '[vars.POLICY.api_keys]\nprefixes = [{ prefix = "sk" }]\nenvironment = "live"\nsigning_keys = [{ id = 1, secret = "API_KEY_SECRET" }]'],
  sessions: ['This policy has no sessions', 'The gate issues no tokens of its own. This section brings them (docs/sessions.md):', '[vars.POLICY.sessions]\nissuer = "https://api.example.com/"\naudience = ["https://api.example.com"]\nsecret = "SESSION_SECRET"'],
  revocations: ['This policy has no revocations', 'Tokens count until they expire. These lines bring them (docs/revocation.md):', '[vars.POLICY.revocation]\nmode = "ledger"'],
  accounts: ['This policy has no accounts', 'Nobody logs in by a password. This section brings it, beside sessions (docs/accounts.md):', '[vars.POLICY.accounts]\nsecrets = [{ id = 1, secret = "ACCOUNTS_SECRET" }]'],
  audit: ['This policy has no audit', 'What administration does is not kept. It comes with the watch (docs/audit.md):', '[vars.POLICY.watch]'],
};

export function missing(section) {
  const [title, text, lines] = SECTIONS[section];
  return h('section', { class: 'panel missing' }, h('h2', {}, title), h('p', {}, text), h('pre', { tabindex: '0' }, h('code', {}, lines)));
}
