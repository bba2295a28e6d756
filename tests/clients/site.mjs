// A site behind the gate whose pages have no code for sessions, and two other sites. What each browser has to show with them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { launch } from './browsers.mjs';
import { startServer } from './server.mjs';

const PAGE = '<!doctype html><title>page</title><link rel="icon" href="data:,">';

/** A server on loopback. */
async function listen(handler) {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: server.address().port, close };
}

/** The site: pages, and an API that counts what reaches it. */
async function startSite() {
  const seen = [];
  const upstream = await listen((request, response) => {
    // A browser asks for its icon by itself.
    if (request.url !== '/favicon.ico') seen.push(`${request.method} ${request.url}`);
    assert.equal(request.headers.cookie ?? '', '', 'cookies of the gate go no further');
    if (request.url.startsWith('/public/')) response.setHeader('Content-Type', 'text/html').end(PAGE);
    else response.setHeader('Content-Type', 'application/json').end('{"posts":[]}');
  });
  // Its pages are of other origins: by the name 127.0.0.1 of the same site as the gate's, by the name localhost of another.
  const others = await listen((request, response) => {
    if (request.url.endsWith('.js')) response.setHeader('Content-Type', 'text/javascript').end(OIDC_CLIENT);
    else response.setHeader('Content-Type', 'text/html').end(PAGE);
  });
  const server = await startServer({ changes: { upstream: `http://127.0.0.1:${upstream.port}` } });
  const dispose = async () => {
    await server.dispose();
    upstream.close();
    others.close();
  };
  return { ...server, seen, others: others.port, dispose };
}

const OIDC_CLIENT = readFileSync(new URL('../../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url));

/** Calls from a page; the status of each answer. */
const calls = (page, count, target = '/v1/posts') =>
  page.evaluate(async (many, url) => Promise.all(Array.from({ length: many }, async (_, i) => (await fetch(`${url}?${i}`)).status)), count, target);

const all200 = (count) => Array.from({ length: count }, () => 200);

/** The tests, in this browser. */
export function describeSessionsIn(name) {
  let browser;
  let site;
  before(async () => {
    site = await startSite();
    browser = await launch(name);
  });
  after(async () => {
    await browser?.close();
    await site?.dispose();
  });

  /** A visitor who is logged in, with so many tabs. */
  async function visitor(tabs = 1) {
    const context = await browser.createBrowserContext();
    const pages = [];
    for (let tab = 0; tab < tabs; tab += 1) {
      const page = await context.newPage();
      await page.goto(`${site.origin}/public/page`);
      pages.push(page);
    }
    const subject = `visitor-${Math.random()}`;
    const answer = await site.sessions.admin('POST', '/sessions', { subject, scopes: ['read:posts', 'write:posts'], ticket: true });
    const { ticket } = answer.json();
    const started = await pages[0].evaluate(async (body) => {
      const { status } = await fetch('/auth/session/start', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      return { status, cookies: document.cookie };
    }, JSON.stringify({ ticket }));
    assert.deepEqual(started, { status: 200, cookies: '' }, 'scripts see no cookie');
    return { context, pages, page: pages[0], subject };
  }

  /** How often this visitor's session was refreshed. */
  async function generation({ subject }) {
    const hash = createHash('sha256');
    for (const part of ['edgegate-subject-v1', site.issuer, subject]) {
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
      hash.update(length).update(part);
    }
    const rows = (await site.sessions.object('EDGEGATE_SESSIONS', hash.digest('base64url'), 'X-Dump')).json();
    return Math.max(...rows.map((row) => JSON.parse(row.value).generation ?? 0));
  }

  test(`${name}: 20 requests at once at expiry, from a page without code for it: 20 times 200, one generation`, async () => {
    const someone = await visitor();
    assert.deepEqual(await calls(someone.page, 3), all200(3));
    assert.equal(await generation(someone), 0);
    await site.sessions.wait(1000);
    assert.deepEqual(await calls(someone.page, 20), all200(20));
    assert.equal(await generation(someone), 1);
    await someone.context.close();
  });

  test(`${name}: 8 tabs wake up at once, again and again, and stay logged in`, async () => {
    const someone = await visitor(8);
    for (let round = 1; round <= 4; round += 1) {
      await site.sessions.wait(round === 3 ? 8 * 3600 : 901);
      const statuses = await Promise.all(someone.pages.map((page) => calls(page, 4)));
      assert.deepEqual(statuses.flat(), all200(32));
      assert.equal(await generation(someone), round);
      // In use for more than 30 s, so that a token of before would be theft.
      await site.sessions.wait(31);
      assert.deepEqual(await calls(someone.page, 1), all200(1));
    }
    await someone.context.close();
  });

  test(`${name}: a log-out in one tab refuses the others`, async () => {
    const someone = await visitor(3);
    const [first, ...others] = someone.pages;
    assert.equal(await first.evaluate(async () => (await fetch('/auth/logout', { method: 'POST' })).status), 200);
    for (const page of [...others, first]) assert.deepEqual(await calls(page, 2), [401, 401]);
    await site.sessions.wait(1000);
    assert.deepEqual(await calls(others[0], 2), [401, 401]);
    await someone.context.close();
  });

  test(`${name}: pages of other origins get nothing done in a visitor's name`, async () => {
    const someone = await visitor();
    const evil = await someone.context.newPage();
    for (const host of ['127.0.0.1', 'localhost']) {
      await evil.goto(`http://${host}:${site.others}/`);
      site.seen.length = 0;
      // Answers to such pages cannot be read; what counts is what reaches the site.
      await evil.evaluate(async (origin) => {
        const post = (target) => fetch(`${origin}${target}`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x=1' }).catch(() => {});
        await Promise.all([post('/v1/posts'), post('/auth/logout'), post('/auth/refresh')]);
        await new Promise((resolve) => {
          const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/posts`);
          socket.onclose = resolve;
        });
      }, site.origin);
      const [answer] = await Promise.all([evil.waitForNavigation(), evil.evaluate((action) => {
        const form = Object.assign(document.createElement('form'), { method: 'POST', action });
        document.body.append(form);
        form.submit();
      }, `${site.origin}/v1/posts`)]);
      // To another site the cookies do not go at all: SameSite.
      const refusal = host === 'localhost' ? [401, 'MISSING_CREDENTIALS'] : [403, 'CSRF_REFUSED'];
      assert.equal(answer.status(), refusal[0]);
      assert.match(await evil.content(), new RegExp(refusal[1]));
      assert.deepEqual(site.seen, []);
    }
    assert.deepEqual(await calls(someone.page, 1), all200(1));
    await someone.context.close();
  });

  test(`${name}: whoever follows a link of another site is logged in, and renewed`, async () => {
    const someone = await visitor();
    await site.sessions.wait(1000);
    const mail = await someone.context.newPage();
    await mail.goto(`http://localhost:${site.others}/`);
    const [answer] = await Promise.all([mail.waitForNavigation(), mail.evaluate((url) => {
      location.href = url;
    }, `${site.origin}/v1/posts`)]);
    assert.equal(answer.status(), 200);
    assert.equal(await generation(someone), 1);
    await someone.context.close();
  });

  test(`${name}: oidc-client-ts in 8 tabs renews at once, from another origin; afterwards it revokes`, async () => {
    const opened = await site.sessions.open();
    const context = await browser.createBrowserContext();
    const pages = [];
    for (let tab = 0; tab < 8; tab += 1) {
      const page = await context.newPage();
      await page.goto(`http://localhost:${site.others}/`);
      await page.addScriptTag({ url: '/oidc-client-ts.js' });
      await page.evaluate(async (authority, tokens) => {
        const { User, UserManager, WebStorageStateStore } = globalThis.oidc;
        globalThis.manager = new UserManager({
          authority,
          metadataUrl: `${authority}.well-known/oauth-authorization-server`,
          client_id: 'first-party',
          redirect_uri: location.href,
          userStore: new WebStorageStateStore({ store: localStorage }),
          automaticSilentRenew: false,
        });
        await globalThis.manager.storeUser(new User({ ...tokens, scope: 'read:posts', profile: {}, expires_at: 0 }));
      }, site.issuer, opened);
      pages.push(page);
    }
    const renewed = await Promise.all(pages.map((page) => page.evaluate(async () => {
      const { refresh_token: refresh, access_token: access, expired } = await globalThis.manager.signinSilent();
      return { refresh, access, expired };
    })));
    assert.equal(new Set(renewed.map(({ refresh }) => refresh)).size, 1);
    for (const { expired, access } of renewed) {
      assert.equal(expired, false);
      assert.equal((await site.gate.get('/v1/posts', { token: access })).status, 200);
    }
    await pages[0].evaluate(() => globalThis.manager.revokeTokens(['refresh_token']));
    const [{ refresh, access }] = renewed;
    assert.equal((await site.sessions.refresh(refresh)).json().code, 'INVALID_REFRESH_TOKEN');
    assert.equal((await site.gate.get('/v1/posts', { token: access })).json().code, 'TOKEN_REVOKED');
    await context.close();
  });
}

