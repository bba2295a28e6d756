// `dev --login`: a newcomer logs in with a browser, at the provider that runs beside the gate.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startLocalProvider } from '../../pkg/cli/local-provider.js';
import { launch } from '../browser/chromium.mjs';
import { SECRETS, closedPort, start } from '../worker/harness.mjs';
import { sessionPolicy, sessionWorker } from '../worker/sessions.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let provider;
let gate;
let browser;
let url;

before(async () => {
  const port = await closedPort();
  // As it is deployed: its origin is not this machine, and nobody logs in yet.
  const policy = sessionPolicy({ origin: 'https://api.example.com', forward_auth: { origin: 'https://api.example.com' } }, { cookies: false });
  provider = await startLocalProvider(ROOT, policy, { port });
  const secrets = { ...SECRETS, ...provider.variables };
  [gate, browser] = await Promise.all([
    start([sessionWorker({ policy: provider.policy, secrets })], { secrets, shared: { port } }),
    launch(),
  ]);
  url = `http://127.0.0.1:${port}`;
});
after(async () => {
  await browser?.close();
  await gate?.dispose();
  provider?.stop();
});

/** A window without cookies. */
async function visit(use) {
  const context = await browser.newContext();
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

test('a page leads to the form, and any name leads back to the page', async () => {
  await visit(async (page) => {
    await page.goto(`${url}/v1/posts?page=2`);
    assert.equal(await page.title(), 'Log in on this machine');
    assert.ok(page.url().startsWith(`${provider.issuer}/interaction/`), page.url());
    await page.getByLabel('Name').fill('grace.hopper');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${url}/v1/posts?page=2`);
    const session = await page.evaluate(async () => (await fetch('/auth/session')).json());
    assert.equal(session.subject, 'local|grace.hopper');
    assert.deepEqual(session.scopes.toSorted(), ['read:posts', 'write:posts']);
  });
});

test('from localhost as well, and logged out another name may come', async () => {
  const local = url.replace('127.0.0.1', 'localhost');
  await visit(async (page) => {
    for (const name of ['ann', 'bob']) {
      await page.context().clearCookies();
      await page.goto(`${local}/auth/login?return_to=/v1/posts`);
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('Name').press('Enter');
      await page.waitForURL(`${local}/v1/posts`);
      const { subject } = await page.evaluate(async () => (await fetch('/auth/session')).json());
      assert.equal(subject, `local|${name}`);
    }
  });
});

test('a person who cancels is told, and can begin again', async () => {
  await visit(async (page) => {
    await page.goto(`${url}/auth/login?return_to=/v1/posts`);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL(`${url}/auth/callback/local?*`);
    await page.getByRole('link', { name: 'Try again' }).click();
    assert.equal(await page.title(), 'Log in on this machine');
  });
});

test('the form takes nothing but a name', async () => {
  await visit(async (page) => {
    await page.goto(`${url}/auth/login`);
    const there = page.url();
    const status = (name) => page.evaluate(async ([target, body]) => {
      const answer = await fetch(target, { method: 'POST', body, redirect: 'manual' });
      return answer.status;
    }, [there, name === undefined ? '' : new URLSearchParams({ name }).toString()]);
    for (const name of [undefined, '', 'a b', 'a|b', '<b>', 'x'.repeat(65), 'x'.repeat(2000)]) assert.equal(await status(name), 400, name);
  });
});

test('what it cannot do is said, with a way on', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'edgegate-login-'));
  try {
    await assert.rejects(startLocalProvider(folder, sessionPolicy(), { port: 1 }), {
      message: 'the provider of --login is not installed here', hint: 'npm install --save-dev oidc-provider',
    });
    await assert.rejects(startLocalProvider(ROOT, {}, { port: 1 }), { message: 'a login needs sessions, and the policy has none' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('wrangler gets the policy with the provider, and its secret, beside what else it was told', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'edgegate-login-'));
  const fake = path.join(folder, 'wrangler.js');
  writeFileSync(fake, 'console.log(JSON.stringify(process.argv.slice(2)));');
  try {
    const child = spawn(process.execPath, ['xtask/dev/with-login.mjs', fake, 'dev', '--port', '8787', '--local-protocol', 'https'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    const said = Buffer.concat(await child.stdout.toArray()).toString();
    const [dev, , port, , scheme, , policy, , secret] = JSON.parse(said.trim().split('\n').at(-1));
    assert.deepEqual([dev, port, scheme], ['dev', '8787', 'https']);
    assert.match(secret, /^LOCAL_PROVIDER_SECRET:[\w-]{43}$/);
    assert.ok(policy.startsWith('POLICY:{'), policy);
    const { login: { providers: [local] }, origin } = JSON.parse(policy.slice('POLICY:'.length));
    assert.deepEqual([local.id, local.scopes, origin], ['local', { default: ['read:posts', 'write:posts'] }, undefined]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
