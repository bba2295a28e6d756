// The lines that `cargo xtask dev` prints.

import assert from 'node:assert/strict';
import test from 'node:test';

import { guide, shellWord } from './guide.mjs';

test('lines hold all they need', () => {
  const text = guide({ url: 'http://127.0.0.1:8787', token: 'a.b.c', key: 'sk_test_1', vars: '/x/.dev.vars', jar: '/x/jar' });
  assert.ok(text.includes("curl -i -H 'Authorization: Bearer a.b.c' http://127.0.0.1:8787/v1/posts\n"));
  assert.ok(text.includes("curl -i -H 'X-API-Key: sk_test_1' http://127.0.0.1:8787/v1/posts\n"));
  assert.ok(text.includes("'%{http_code}\\n'"));
  assert.ok(text.includes("$(sed -n 's/^ADMIN_TOKEN=//p' '/x/.dev.vars' | tr -d '\"')"));
  assert.ok(text.includes("-b '/x/jar' -c '/x/jar' -H 'Sec-Fetch-Site: same-origin' -X POST http://127.0.0.1:8787/auth/logout\n"));
  assert.ok(text.includes("-u \"batch:$(sed -n 's/^BATCH_CLIENT_SECRET=//p'"));
});

test('without a key no line has one', () => {
  assert.ok(!guide({ url: 'http://127.0.0.1:1', token: 't', vars: 'f', jar: 'j' }).includes('X-API-Key'));
});

test('people are shown where they log in, if there is a provider', () => {
  const of = (login) => guide({ url: 'http://127.0.0.1:1', token: 't', vars: 'f', jar: 'j', login });
  assert.match(of(true), /^Log in with a browser, by any name:\n {2}http:\/\/127\.0\.0\.1:1\/auth\/login\?return_to=\/v1\/posts$/m);
  assert.ok(!of(undefined).includes('auth/login'));
});

test('paths are one word for the shell', () => {
  assert.equal(shellWord("/a b/it's"), String.raw`'/a b/it'\''s'`);
});

test('which browsers mind is said, and what helps', () => {
  const of = (url) => guide({ url, token: 't', key: 'k', vars: 'f', jar: 'j' });
  assert.match(of('http://127.0.0.1:1'), /^# the cookies;.* Safari and older ones do not over http: cargo xtask dev --https$/m);
  const lines = of('https://127.0.0.1:1').split('\n');
  assert.ok(lines.every((line) => !line.includes('Safari') && !line.includes('http:')));
  const commands = lines.filter((line) => /^(?:curl|for) /.test(line));
  assert.ok(commands.length > 8);
  for (const command of commands) assert.equal(command.match(/\bcurl\b/g).length, command.match(/\bcurl -k /g)?.length, command);
});
