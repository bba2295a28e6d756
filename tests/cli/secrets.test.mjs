// Whose the secrets of a policy are: each that the gate reads is known to the command line, by what it is for.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { hasForm, newSecret, rolesOf } from '../../pkg/cli/secrets.js';
import { checkPolicy } from '../../pkg/wasm/node.js';
import { ROOT, fakeWrangler, installed } from './command-line.mjs';

const policies = JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/policies.json'), 'utf8'));
const made = (roles) => Object.fromEntries(roles.map(([name, role]) => [name, newSecret(role)]));

let project;
before(async () => {
  project = await installed();
});
after(() => project?.dispose());

const SECTIONS = `
[vars.POLICY.accounts]
secrets = [{ id = 1, secret = "ACCOUNTS_SECRET" }]
mail = { kind = "webhook", url = "https://mailer.acme.io/hook", secret = "MAIL_SECRET" }

[[vars.POLICY.login.providers]]
id = "apple"
type = "apple"
client_id = "io.acme.posts"
team_id = "1234567890"
key_id = "0987654321"
private_key = "APPLE_KEY"

[[vars.POLICY.login.providers]]
id = "github"
type = "github"
client_id = "posts"
client_secret = "GITHUB_SECRET"
allow = { organizations = ["acme"] }

[vars.POLICY.watch]
secret = "WATCH_SECRET"
metrics_secret = "METRICS_SECRET"
sinks = [
  { name = "chat", kind = "slack", url_secret = "SLACK_URL" },
  { name = "errors", kind = "sentry", url_secret = "SENTRY_DSN" },
  { name = "hook", kind = "webhook", url = "https://hook.acme.io/", secret = "HOOK_SECRET" },
]
`;

/** A project whose policy has logins, accounts and the watch. */
async function written(name) {
  const folder = path.join(project.folder, name);
  const done = await project.cli(['init', name, '--yes', '--no-install']);
  assert.equal(done.code, 0, done.stderr);
  const file = path.join(folder, 'wrangler.toml');
  const text = readFileSync(file, 'utf8')
    .replace(/^\[vars\.POLICY\]\n/m, '[vars.POLICY]\norigin = "https://api.acme.io"\n')
    .replace(/^secret = "SESSION_SECRET"\n/m, 'secret = "SESSION_SECRET"\ncookies = true\n');
  writeFileSync(file, text + SECTIONS);
  const run = (...parameters) => project.cli(parameters, { cwd: folder });
  return { folder, vars: path.join(folder, '.dev.vars'), run };
}

test('each secret that the gate reads of a policy has a role, and a new value of it is taken', async () => {
  for (const policy of policies) {
    const roles = [...rolesOf(policy)];
    const { secrets } = await checkPolicy(policy, { secrets: made(roles.filter(([, role]) => hasForm(role))) });
    assert.deepEqual(roles.map(([name]) => name).sort(), [...secrets].sort());
    await checkPolicy(policy, { secrets: made(roles) });
  }
});

test('a secret that serves the gate and somebody else is shared', () => {
  const roles = rolesOf({ admin: { secret: 'ONE' }, issuers: [{ secret: 'ONE' }] });
  assert.deepEqual([...roles], [['ONE', { role: 'shared' }]]);
});

test('deploy draws secrets of accounts and of the watch at random, and asks for those that others know', async () => {
  const { folder, run } = await written('roles');
  mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  fakeWrangler(folder, { 'deploy --dry-run': 'Total Upload: 1.00 KiB / gzip: 0.50 KiB' });
  const done = await run('deploy', '--dry-run', '--json');
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(done.json().secrets, {
    random: ['ACCOUNTS_SECRET', 'ADMIN_TOKEN', 'API_KEY_SECRET', 'SESSION_SECRET', 'WATCH_SECRET'],
    asked: ['APPLE_KEY', 'GITHUB_SECRET', 'HOOK_SECRET', 'MAIL_SECRET', 'METRICS_SECRET', 'SENTRY_DSN', 'SLACK_URL'],
  });
});

test('check reads those of .dev.vars as the gate does', async () => {
  const { vars, run } = await written('read');
  const text = readFileSync(vars, 'utf8');
  const found = async (more) => {
    writeFileSync(vars, text + more);
    const { findings } = (await run('check', '--json')).json();
    return findings.map(({ level, path: at, message }) => `${level} ${at}: ${message}`);
  };
  assert.deepEqual(await found(''), []);
  assert.match((await found('ACCOUNTS_SECRET=short\n'))[0], /^error accounts\.secrets\[0\]\.secret: .*expected at least 32/);
  assert.match((await found('SLACK_URL=hooks.slack.example\n'))[0], /^error watch\.sinks\[0\]\.url_secret: expected an https URL/);
  assert.match((await found('APPLE_KEY=no key\n'))[0], /^error login\.providers\[0\]\.private_key: /);
  const { SESSION_SECRET: session } = Object.fromEntries(text.split('\n').map((line) => line.split('=')));
  assert.match((await found(`ACCOUNTS_SECRET=${session}\n`))[0], /the same as|one secret/);
});
