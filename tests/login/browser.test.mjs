// The browser of these tests keeps the rules that browsers keep.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Browser, CookieJar } from './browser.mjs';

const GATE = 'https://api.example.com/auth/login';

test('what is not set as its prefix wants it is not kept', () => {
  const jar = new CookieJar();
  for (const line of [
    '__Host-a=1; Path=/', '__Host-a=1; Secure', '__Host-a=1; Secure; Path=/auth', '__Host-a=1; Secure; Path=/; Domain=example.com', '__HOST-a=1; Path=/',
    '__Secure-a=1; Path=/', 'a=1; Domain=other.example', 'a=1; SameSite=None', '=1',
  ]) assert.equal(jar.set(line, GATE), false, line);
  assert.equal(jar.set('__Host-a=1; Secure; Path=/', 'http://api.example.com/'), false);
  assert.equal(jar.set('__Host-a=1; Secure; Path=/', 'http://127.0.0.1:8787/'), true);
  assert.equal(jar.set('__Host-a=1; Secure; Path=/; HttpOnly', GATE), true);
  assert.equal(jar.header(GATE), '__Host-a=1');
  assert.equal(jar.header('https://www.example.com/'), '');
});

test('SameSite, Path, Domain and Max-Age decide what is sent', () => {
  const jar = new CookieJar();
  for (const line of ['lax=1; Path=/', 'strict=1; Path=/; SameSite=Strict', 'none=1; Path=/; SameSite=None; Secure', 'deep=1; Path=/auth', 'wide=1; Path=/; Domain=example.com']) jar.set(line, GATE);
  assert.equal(jar.header(GATE), 'lax=1; strict=1; none=1; deep=1; wide=1');
  assert.equal(jar.header('https://api.example.com/author'), 'lax=1; strict=1; none=1; wide=1');
  assert.equal(jar.header('https://www.example.com/'), 'wide=1');
  assert.equal(jar.header(GATE, { isCrossSite: true, isLax: true }), 'lax=1; none=1; deep=1; wide=1');
  assert.equal(jar.header(GATE, { isCrossSite: true }), 'none=1');
  jar.set('lax=; Path=/; Max-Age=0', GATE);
  jar.set('kept=1; Path=/; Max-Age=60', GATE);
  jar.close();
  assert.deepEqual(jar.all.map(({ name }) => name), ['kept']);
});

let server;
let site;
const seen = [];
before(async () => {
  server = http.createServer((request, response) => {
    seen.push({ url: request.url, method: request.method, headers: request.headers });
    const to = request.url === '/loop' ? '/loop' : new URL(request.url, 'http://x').searchParams.get('to');
    if (to) return response.writeHead(303, { Location: to }).end();
    response.end('<form method="post" action="/next?a=1&amp;b=2"><input type="hidden" name="x" value="&lt;1&gt;"><button name="go" value="yes">Go</button></form><a href="/there">There</a>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  site = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

const browser = () => new Browser({ hosts: { 'https://api.example.com': server.address().port, 'https://evil.example': server.address().port, 'https://www.example.com': server.address().port } });

test('a chain of redirects is as far away as the farthest of its URLs', async () => {
  const tab = browser().tab();
  const back = 'https://api.example.com/back';
  await tab.open(`https://api.example.com/?to=${encodeURIComponent(`https://evil.example/?to=${back}`)}`);
  assert.deepEqual(tab.trail.map(({ sent }) => sent['Sec-Fetch-Site']), ['none', 'none', 'none']);
  await tab.open('https://api.example.com/');
  await tab.click(`/?to=${encodeURIComponent(`https://evil.example/?to=${back}`)}`);
  assert.deepEqual(tab.trail.map(({ sent }) => sent['Sec-Fetch-Site']), ['same-origin', 'cross-site', 'cross-site']);
  await tab.open('https://www.example.com/');
  await tab.click(back);
  assert.equal(tab.page.sent['Sec-Fetch-Site'], 'same-site');
  await tab.open('https://evil.example/');
  await tab.click(back);
  assert.equal(tab.page.sent['Sec-Fetch-Site'], 'cross-site');
});

test('a form from another site has its Origin and no Lax cookie; what follows by 303 has it', async () => {
  const one = browser();
  one.jar.set('lax=1; Path=/', GATE);
  const tab = one.tab();
  await tab.open('https://evil.example/');
  await tab.submit({ more: '2' });
  const [post] = tab.trail;
  assert.deepEqual([post.method, post.sent.Origin, post.sent.Cookie], ['POST', 'https://evil.example', undefined]);
  assert.equal(seen.at(-1).url, '/next?a=1&b=2');
  const answer = await one.send('https://api.example.com/', { method: 'POST', body: 'a=b', from: 'https://evil.example/' });
  assert.equal(answer.sent.Cookie, undefined);
  const after = await one.send('https://api.example.com/', { from: 'https://evil.example/' });
  assert.equal(after.sent.Cookie, 'lax=1');
});

test('a fetch has the headers of one, and loops end', async () => {
  const tab = browser().tab();
  await tab.open('https://api.example.com/');
  assert.deepEqual(tab.links, ['/there']);
  const { sent } = await tab.fetch('/data', { method: 'POST', body: '' });
  assert.deepEqual([sent['Sec-Fetch-Mode'], sent['Sec-Fetch-Dest'], sent.Origin], ['cors', 'empty', 'https://api.example.com']);
  await assert.rejects(tab.open(`${site}/loop`), /^Error: more than 20 redirects/);
});
