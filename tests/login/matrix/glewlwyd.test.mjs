// Glewlwyd, a provider in C (Debian has it): `apt-get install glewlwyd sqlite3`.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';

import { closedPort, temporaryFolder, until } from '../../worker/harness.mjs';
import { CLIENT_SECRET, isIn, tabAt } from '../foreign.mjs';
import { ORIGIN } from '../gate.mjs';

const PROGRAM = '/usr/bin/glewlwyd';
const TABLES = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';
const PASSWORD = 'a password of ann';

const ends = [];
after(async () => {
  for (const end of ends.reverse()) await end();
});

const isAsked = (url) => fetch(url).then(() => true, () => false);

/** Starts one with a database of its own. Returns its origin. */
async function startGlewlwyd() {
  const [folder, port] = [temporaryFolder(), await closedPort()];
  const [database, file] = [path.join(folder, 'database'), path.join(folder, 'glewlwyd.conf')];
  execFileSync('sqlite3', [database], { input: readFileSync(TABLES) });
  const modules = { client_module_path: 'client', user_module_path: 'user', user_auth_scheme_module_path: 'scheme', plugin_module_path: 'plugin' };
  const lines = [
    `port=${port}`, 'bind_address="127.0.0.1"', `external_url="http://127.0.0.1:${port}"`, 'login_url="login.html"', 'api_prefix="api"', 'log_mode="console"', 'log_level="ERROR"',
    'cookie_secure=0', 'session_key="SESSION"', 'admin_scope="g_admin"', 'profile_scope="g_profile"', 'hash_algorithm="SHA512"',
    ...Object.entries(modules).map(([name, below]) => `${name}="/usr/lib/glewlwyd/${below}"`), `database = { type = "sqlite3" path = "${database}" }`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program = spawn(PROGRAM, [`--config-file=${file}`], { stdio: 'ignore' });
  ends.push(() => program.kill());
  const origin = `http://127.0.0.1:${port}`;
  await until(() => isAsked(origin));
  return origin;
}

/** Its administration, and what its pages do: requests with the cookies of whoever has signed in. */
class Api {
  cookie = '';

  constructor(origin) {
    this.origin = origin;
  }

  async ask(method, target, body) {
    const answer = await fetch(`${this.origin}/api${target}`, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', Cookie: this.cookie } });
    const set = answer.headers.getSetCookie().map((line) => line.split(';')[0]);
    if (set.length > 0) this.cookie = set.join('; ');
    assert.equal(answer.status, 200, `${target}: ${await answer.text()}`);
  }

  signIn(username, password) {
    return this.ask('POST', '/auth', { username, password });
  }
}

async function setUp(origin) {
  const admin = new Api(origin);
  await admin.signIn('admin', 'password');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await admin.ask('POST', '/mod/plugin/', {
    module: 'oidc', name: 'oidc', display_name: 'oidc', enabled: true,
    parameters: {
      iss: `${origin}/api/oidc`, 'jwt-type': 'rsa', 'jwt-key-size': '256',
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }), cert: publicKey.export({ format: 'pem', type: 'spki' }),
      'access-token-duration': 3600, 'refresh-token-duration': 86_400, 'code-duration': 60, 'refresh-token-rolling': true, 'allow-non-oidc': false,
      'auth-type-code-enabled': true, 'auth-type-token-enabled': false, 'auth-type-id-token-enabled': true, 'auth-type-none-enabled': true, 'auth-type-password-enabled': false,
      'auth-type-client-enabled': false, 'auth-type-refresh-enabled': true, 'auth-type-device-enabled': false, 'pkce-allowed': true, 'pkce-required': true,
      'subject-type': 'public', 'session-management-allowed': true, 'session-cookie-name': 'OIDC', 'session-cookie-expiration': 86_400,
    },
  });
  await admin.ask('POST', '/client/', {
    client_id: 'gate', name: 'gate', enabled: true, confidential: true, password: CLIENT_SECRET, authorization_type: ['code', 'refresh_token'],
    redirect_uri: [`${ORIGIN}/auth/callback/op`], scope: ['openid'], token_endpoint_auth_method: ['client_secret_basic'],
  });
  await admin.ask('POST', '/user/', { username: 'ann', name: 'Ann', email: 'ann@corp.example', password: PASSWORD, enabled: true, scope: ['openid', 'g_profile'] });
}

test('glewlwyd', { skip: ![PROGRAM, TABLES, '/usr/bin/sqlite3'].every(existsSync) && 'it is not installed' }, async () => {
  const origin = await startGlewlwyd();
  await setUp(origin);
  const there = await tabAt({ issuer: `${origin}/api/oidc`, request_scopes: ['openid'], authentication: 'basic' }, ends);
  const { tab, browser } = there;
  // Its page is a program in the browser. What that asks is asked here.
  const at = new URL(tab.url);
  assert.equal(at.pathname, '/login.html', tab.page.text);
  const page = new Api(origin);
  await page.signIn('ann', PASSWORD);
  await page.ask('PUT', '/auth/grant/gate/', { scope: 'openid' });
  for (const pair of page.cookie.split('; ')) browser.jar.set(`${pair}; Path=/`, origin);
  await tab.click(`${at.searchParams.get('callback_url')}&g_continue`);
  const { text } = await browser.send(`${ORIGIN}/auth/session`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' });
  const { subject } = JSON.parse(text);
  assert.match(subject ?? text, /^op\|.+/, there.gate.output.lines.at(-1));
  await isIn(there, subject);
});
