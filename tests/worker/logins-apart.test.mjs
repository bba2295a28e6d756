// Log-ins in a script of their own: the same Worker deployed twice, as docs/accounts.md says how.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { parse, stringify } from 'smol-toml';

import { blocksOf } from '../docs/blocks.mjs';
import { WRANGLER } from '../miniflare.mjs';
import { BUILD, ROOT, SECRETS, admitted, refused, start, temporaryFolder } from './harness.mjs';
import { Mailer } from './mailer.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';
const POLICY = { source: 'kv' };

/** What the page says: the second script's own fields, and the binding of the gate. */
const [OWN, BOUND] = blocksOf(readFileSync(path.join(ROOT, 'docs/accounts.md'), 'utf8'))
  .filter(({ language, info }) => language === 'toml' && info.includes('logins-apart'))
  .map(({ code }) => parse(code));
const [BINDING] = BOUND.durable_objects.bindings;
const LOGINS = OWN.name;

const WHOLE = parse(readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8'));
const GATE = WHOLE.name;
const CONFIGURATIONS = {
  [LOGINS]: { ...WHOLE, ...OWN },
  [GATE]: { ...WHOLE, durable_objects: { bindings: WHOLE.durable_objects.bindings.map((one) => (one.name === BINDING.name ? BINDING : one)) } },
};

/** A gate, and the script that its binding names, with these secrets. They share a policy in KV. */
function pair({ gate = GATE, logins = LOGINS, secrets = SECRETS } = {}) {
  const kvNamespaces = { EDGEGATE_KV: 'shared-kv' };
  const front = sessionWorker({ name: gate, policy: POLICY, secrets: { ...SECRETS, HOOK_SECRET: hookSecret() }, worker: { kvNamespaces } });
  front.durableObjects = { ...front.durableObjects, [BINDING.name]: { className: BINDING.class_name, scriptName: logins, useSQLite: true } };
  return [front, sessionWorker({ name: logins, policy: POLICY, secrets: { HOOK_SECRET: hookSecret(), ...secrets }, worker: { kvNamespaces } })];
}

const hookSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
/** In the script of log-ins alone: by this, mails are known to come from there. */
const OF_LOGINS = hookSecret();

let mailer;
let gate;
let sessions;
let logins;
before(async () => {
  mailer = await new Mailer().listen();
  const { ACCOUNTS_SECRET: _, ...others } = SECRETS;
  gate = await start([
    ...pair({ secrets: { ...SECRETS, HOOK_SECRET: OF_LOGINS } }),
    ...pair({ gate: 'gate-2', logins: 'logins-2', secrets: others }),
    ...pair({ gate: 'gate-3', logins: 'logins-3', secrets: { ...others, ACCOUNTS_SECRET: randomBytes(32).toString('hex') } }),
  ]);
  const policy = sessionPolicy({
    revocation: { mode: 'ledger' },
    accounts: {
      secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], mail: { kind: 'webhook', url: `${mailer.origin}/hook`, secret: 'HOOK_SECRET' },
    },
  });
  await (await gate.mf.getKVNamespace('EDGEGATE_KV', GATE)).put('policy/v1', JSON.stringify(policy));
  [sessions, logins] = [new Sessions(gate, GATE), new Sessions(gate, LOGINS)];
});
after(async () => {
  await gate?.dispose();
  mailer.close();
});

const logIn = (email, password, at = sessions) => at.post('/auth/login', { body: { email, password } });

test('accounts are made and log in, and the gate’s own script has no object of them', async () => {
  const email = 'ada@example.com';
  const made = await sessions.admin('POST', '/accounts', { email, password: PASSWORD });
  assert.equal(made.status, 201, made.text);
  const { access_token: token } = (await logIn(email, PASSWORD)).json();
  admitted(await sessions.get('/v1/posts', { token }), { subject: made.json().subject });
  refused(await logIn(email, ANOTHER), 'INVALID_CREDENTIALS');
  refused(await logIn('nobody@example.com', PASSWORD), 'INVALID_CREDENTIALS');
  const changed = await sessions.post('/auth/password', { token, body: { password: PASSWORD, new_password: ANOTHER } });
  assert.equal(changed.status, 200, changed.text);
  refused(await logIn(email, PASSWORD), 'INVALID_CREDENTIALS');
  assert.equal((await logIn(email, ANOTHER)).status, 200);

  const [ofGate, ofLogins] = [await sessions.counts(), await logins.counts()];
  assert.equal(ofGate.logins, 0);
  assert.ok(ofLogins.logins > 0);
  // Sessions stay where they were.
  assert.ok(ofGate.sessions > 0);
  assert.equal(ofLogins.sessions, 0);
});

test('mails are sent by the alarm of the other script, and their links are good', async () => {
  const email = 'bob@example.com';
  assert.equal((await sessions.admin('POST', '/accounts', { email, password: PASSWORD, verified: true })).status, 201);
  assert.equal((await sessions.post('/auth/reset', { body: { email } })).status, 202);
  const [mail] = await mailer.links(email);
  const { 'webhook-id': name, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = mail.headers;
  const key = Buffer.from(OF_LOGINS.slice('whsec_'.length), 'base64');
  assert.equal(signature, `v1,${createHmac('sha256', key).update(`${name}.${timestamp}.${mail.bytes}`).digest('base64')}`);
  const [, token] = mail.link.split('#token=');
  const set = await sessions.post('/auth/reset/confirm', { body: { token, password: ANOTHER } });
  assert.equal(set.status, 200, set.text);
  assert.equal((await logIn(email, ANOTHER)).status, 200);
});

test('without a secret of the policy in the other script nobody gets in, and its log names the secret', async () => {
  const at = new Sessions(gate, 'gate-2');
  const from = gate.output.lines.length;
  refused(await logIn('ada@example.com', ANOTHER, at), 'STORE_UNAVAILABLE');
  assert.equal((await at.admin('POST', '/accounts', { email: 'carol@example.com', password: PASSWORD })).status, 503);
  await gate.output.find((line) => line.includes('ACCOUNTS_SECRET'), from);
});

test('wrangler takes both configurations', async () => {
  const folder = temporaryFolder();
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1', HOME: folder };
  for (const [name, { build, ...configuration }] of Object.entries(CONFIGURATIONS)) {
    assert.equal(configuration.name, name);
    const file = path.join(folder, `${name}.toml`);
    writeFileSync(file, stringify({ ...configuration, main: path.join(BUILD, 'index.js') }));
    const { stdout } = await promisify(execFile)(WRANGLER, ['deploy', '--dry-run', '--config', file, '--outdir', path.join(folder, name)], { cwd: folder, env });
    const line = stdout.split('\n').find((one) => one.includes(BINDING.name));
    assert.match(line, /LoginObject/);
    assert.equal(line.includes(LOGINS), name === GATE, line);
  }
  const { [LOGINS]: other } = CONFIGURATIONS;
  assert.deepEqual([other.workers_dev, other.preview_urls, other.routes], [false, false, undefined]);
});

test('with another secret in the other script nobody gets in, before anything is kept that one of the two could not read', async () => {
  const at = new Sessions(gate, 'gate-3');
  const from = gate.output.lines.length;
  assert.equal((await at.admin('POST', '/accounts', { email: 'dave@example.com', password: PASSWORD })).status, 503);
  assert.equal((await logIn('dave@example.com', PASSWORD, at)).status, 503);
  await gate.output.find((line) => line.includes('another secret of id 1'), from);
});
