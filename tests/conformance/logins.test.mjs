// Logins in the runtimes that have no node:crypto of Node: seals, signatures and requests to providers are each host's own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { Browser } from '../login/browser.mjs';
import { Miniflare } from '../miniflare.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { closedPort, policy as example } from '../worker/harness.mjs';
import { LOGIN_SECRETS, loginPolicy } from '../worker/login.mjs';
import { bun, deno } from './runtimes.mjs';

const NAMED = 'https://api.example.com';
const PKG = fileURLToPath(new URL('../../pkg/', import.meta.url));

const inProcess = (program) => async (port, data) => {
  const [file, ...words] = program();
  const entry = new URL('../../pkg/wasm/inline.js', import.meta.url).href;
  const child = spawn(file, [...words, fileURLToPath(new URL('login-process.mjs', import.meta.url)), entry, port, JSON.stringify(data)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(child.stdout, 'data'), ended]);
  assert.match(`${line}`, /ready/);
  return async () => {
    child.kill();
    await ended;
  };
};

const inWorkerd = async (port, DATA) => {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [fileURLToPath(new URL('login-worker.mjs', import.meta.url))], bundle: true, format: 'esm', write: false,
    plugins: [{ name: 'wasm', setup: ({ onResolve }) => onResolve({ filter: /\.wasm$/ }, ({ path: name }) => ({ path: `./${path.basename(name)}`, external: true })) }],
  });
  const wasm = (name) => ({ type: 'CompiledWasm', path: path.join(PKG, 'wasm', name) });
  const worker = new Miniflare({
    handleStructuredLogs: () => {},
    modules: [{ type: 'ESModule', path: path.join(PKG, 'wasm/main.mjs'), contents: bundle.text }, wasm('edgegate_gate_bg.wasm')],
    modulesRoot: path.join(PKG, 'wasm'), compatibilityDate: '2026-04-01', cf: false, host: '127.0.0.1', port, bindings: { DATA },
  });
  await worker.ready;
  return () => worker.dispose();
};

let corp;
let apple;
let mail;
before(async () => {
  const at = (id) => ({ client: { redirectUris: [`${NAMED}/auth/callback/${id}`] } });
  corp = await startProvider('oidc', at('corp'));
  mail = await startProvider('oidc', at('mail'));
  apple = await startProvider('apple', at('apple'));
});
after(async () => {
  for (const one of [corp, mail, apple]) await one?.close();
});

function data() {
  const entry = (id, type, { issuer, client }, fields) => ({ id, type, issuer, client_id: client.id, allow_http: true, ...fields });
  const scopes = { default: ['read:posts'] };
  const { teamId, keyId, privateKey } = apple.client;
  const providers = [
    entry('corp', 'oidc', corp, { client_secret: 'CORP_SECRET', scopes }),
    entry('apple', 'apple', apple, { team_id: teamId, key_id: keyId, private_key: 'APPLE_KEY', scopes }),
    entry('mail', 'oidc', mail, { client_secret: 'MAIL_SECRET', connect_only: true, request_scopes: ['openid', 'offline_access'] }),
  ];
  return {
    policy: loginPolicy(providers, { origin: NAMED, routes: example().routes }),
    secrets: {
      ...LOGIN_SECRETS, CORP_SECRET: corp.client.secret, MAIL_SECRET: mail.client.secret, APPLE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    },
  };
}

for (const [name, start] of Object.entries({ workerd: inWorkerd, Deno: inProcess(deno), Bun: inProcess(bun) })) {
  describe(`in ${name}`, () => {
    let port;
    let stop;
    before(async () => {
      port = await closedPort();
      stop = await start(port, data());
    });
    after(() => stop?.());

    test('somebody logs in, and connects an account whose token is used', async () => {
      const browser = new Browser({ hosts: { [NAMED]: port } });
      const tab = browser.tab();
      await tab.open(`${NAMED}/auth/login/corp?return_to=/v1/posts`);
      assert.deepEqual([tab.page.status, tab.url], [200, `${NAMED}/v1/posts`], tab.page.text);
      assert.deepEqual(JSON.parse(tab.page.text), { subject: `corp|${corp.user.sub}` });

      const begun = await browser.send(`${NAMED}/auth/connect/mail`, { method: 'POST', body: 'return_to=%2Fv1%2Fposts%3Fmail%3D1', from: `${NAMED}/v1/posts` });
      assert.equal(begun.status, 303, begun.text);
      await tab.click(begun.headers.location);
      const { subject, account, token } = JSON.parse(tab.page.text);
      assert.deepEqual([subject, account], [`corp|${corp.user.sub}`, mail.user.sub]);
      const known = await fetch(mail.url('userinfo'), { headers: { authorization: `Bearer ${token}` } });
      assert.equal((await known.json()).sub, mail.user.sub);
    });

    test('by a provider that answers by a form, to a client that signs its secret', async () => {
      const tab = new Browser({ hosts: { [NAMED]: port } }).tab();
      await tab.open(`${NAMED}/auth/login/apple?return_to=/v1/posts`);
      await tab.submit();
      assert.deepEqual([tab.page.status, tab.url], [200, `${NAMED}/v1/posts`], tab.page.text);
      assert.match(JSON.parse(tab.page.text).subject, /^apple\|/);
    });
  });
}
