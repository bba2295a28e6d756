// A gate whose people log in with a provider that others have written, and a browser on its way there.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { SECRETS, startGate } from '../worker/harness.mjs';
import { sessionPolicy } from '../worker/sessions.mjs';
import { Browser } from './browser.mjs';
import { AT, ORIGIN } from './gate.mjs';

export const CLIENT_SECRET = randomBytes(24).toString('hex');
/** A gate whose people log in there, and a tab at the way to it. */
export async function tabAt(entry, ends) {
  const provider = { id: 'op', type: 'oidc', title: 'Example', client_id: 'gate', client_secret: 'OP_CLIENT_SECRET', allow_http: true, scopes: { default: ['read:posts'] }, ...entry };
  const secrets = { ...SECRETS, OP_CLIENT_SECRET: CLIENT_SECRET };
  const gate = await startGate({ policy: sessionPolicy({ login: { providers: [provider] } }), secrets });
  ends.push(() => gate.dispose());
  const browser = new Browser({ hosts: { [ORIGIN]: gate.port() } });
  const tab = browser.tab();
  await tab.open(`${ORIGIN}/auth/login/op?return_to=/v1/posts`);
  return { gate, browser, tab };
}

/** Whether the tab has come back, as this subject. */
export async function isIn({ gate, browser, tab }, subject) {
  assert.equal(tab.url, `${ORIGIN}/v1/posts`, `${tab.page.text}\n${gate.output.lines.at(-1)}`);
  assert.ok(browser.jar.get(AT));
  const { text } = await browser.send(`${ORIGIN}/auth/session`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' });
  assert.equal(JSON.parse(text).subject, subject);
}
