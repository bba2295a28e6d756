// Which cookies browsers send to a callback that a provider's page posts to (`response_mode=form_post`), and after the redirect that answers it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { until } from '../worker/harness.mjs';
import { launch } from './engines.mjs';
import { page, quiet, startNetwork } from './network.mjs';

const APP = 'app.example.com';
const PROVIDER = 'op.example.org';

/** One cookie of each kind; `unset` names no SameSite. */
const COOKIES = ['Strict', 'Lax', 'None', ''].map((kind) => `__Host-${kind.toLowerCase() || 'unset'}=1; Path=/; Secure; HttpOnly${kind && `; SameSite=${kind}`}`);

const application = (request, response) => {
  const { pathname, searchParams } = new URL(request.url, `https://${APP}`);
  response.setHeader('Content-Type', 'text/html').setHeader('Cache-Control', 'no-store');
  if (pathname === '/set') return response.setHeader('Set-Cookie', COOKIES).end(page('set'));
  const status = Number(searchParams.get('status') ?? 0);
  if (pathname !== '/callback' || status === 0) return response.end(page('end'));
  // As the gate answers: to the same path, without the form; with a cookie that has to come along.
  return response.writeHead(status, { Location: '/callback?bounced', 'Set-Cookie': '__Host-new=1; Path=/; Secure; HttpOnly; SameSite=Lax' }).end();
};

const form = (action) => page('provider', `<form method="post" action="${action}"><input type="hidden" name="code" value="1"></form><script>document.forms[0].submit()</script>`);

const provider = (request, response) => {
  const { pathname, searchParams } = new URL(request.url, `https://${PROVIDER}`);
  response.setHeader('Content-Type', 'text/html');
  const callback = `https://${APP}/callback?status=${searchParams.get('status') ?? 0}`;
  // A person presses a button on the provider's page, whose answer leads back.
  if (pathname === '/get') return response.end(page('provider', '<script>location.href = "/redirect"</script>'));
  if (pathname === '/redirect') return response.writeHead(303, { Location: callback }).end();
  return response.end(form(callback));
};

const named = ({ headers }) => [...(headers.cookie ?? '').matchAll(/__Host-(\w+)=/g)].map(([, name]) => name).sort();

/** The tests, in this engine. WebKit can be told to keep trackers from tracking (ITP). */
export const describeSameSite = (engine, { itp = false } = {}) => describe(`${engine}${itp ? ' with ITP' : ''}`, () => {
  let network;
  let browser;
  before(async () => {
    network = await startNetwork({ [APP]: application, [PROVIDER]: provider });
    browser = await launch(engine, { proxy: network.proxy, itp });
  });
  after(async () => {
    await browser?.close();
    network?.close();
  });

  /** The cookies of each of so many requests to the callback, in a new profile that has all of them. */
  async function follow(target, count) {
    const profile = await browser.profile();
    const tab = await profile.tab();
    await tab.goto(`https://${APP}/set`);
    network.seen.length = 0;
    await tab.goto(`https://${PROVIDER}${target}`);
    const callbacks = () => network.seen.filter(({ host, url }) => host === APP && url.startsWith('/callback'));
    await until(() => callbacks().length >= count);
    await quiet(network);
    const found = callbacks().map((request) => [request.method, named(request)]);
    await profile.close();
    return found;
  }

  test('a Lax cookie is not sent with a form of another site, and is sent after the 303 that answers it', async () => {
    const [post, bounced, ...more] = await follow('/form?status=303', 2);
    assert.deepEqual(more, []);
    assert.deepEqual([post[0], bounced[0]], ['POST', 'GET']);
    assert.ok(post[1].includes('none') && !post[1].includes('lax') && !post[1].includes('strict'), `${post}`);
    // What the 303 sets comes along as well.
    for (const name of ['lax', 'new', 'none']) assert.ok(bounced[1].includes(name), `${name}: ${bounced}`);
    assert.ok(!bounced[1].includes('strict'), `${bounced}`);
  });

  test('a Lax cookie is sent with a redirect of another site, a Strict one is not', async () => {
    const [[method, names], ...more] = await follow('/get', 1);
    assert.deepEqual([method, more], ['GET', []]);
    assert.ok(names.includes('lax') && names.includes('none') && !names.includes('strict'), `${names}`);
  });

  test('a 307 repeats the form, without Lax cookies', async () => {
    const [, [method, names]] = await follow('/form?status=307', 2);
    assert.equal(method, 'POST');
    assert.ok(!names.includes('lax'), `${names}`);
  });

  test('a `__Host-` cookie of http://127.0.0.1 is kept, but not by WebKit', async () => {
    const asked = [];
    const site = (request, response) => {
      asked.push(named(request));
      application(request, response);
    };
    const server = http.createServer(site).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${server.address().port}`;
    // Some ask the proxy for it, others ask directly.
    network.sites[host] = site;
    const origin = `http://${host}`;
    const profile = await browser.profile();
    const tab = await profile.tab();
    await tab.goto(`${origin}/set`);
    await tab.goto(`${origin}/callback`);
    await profile.close();
    server.closeAllConnections();
    server.close();
    assert.deepEqual(asked.at(-1).includes('lax'), engine !== 'webkit', `${asked}`);
  });
});
