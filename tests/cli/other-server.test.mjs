// What a command says and prints where something else than a gate answers, or a gate that somebody else has taken over.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { installed } from './command-line.mjs';

const TOKEN = 'the-secret-of-an-administrator-0123456789';
const ID = '0123456789abcdef0123456789abcdef';
const KEY = { id: ID, name: 'one', owner: 'alice', scopes: [] };

let project;
let server;
/** What the server answers: `[status, type, body]`, or a function of the request that returns it. */
let answer;
/** The requests, with their secrets. */
const asked = [];

before(async () => {
  project = await installed();
  server = http.createServer((request, response) => {
    asked.push({ target: request.url, secret: request.headers.authorization });
    const [status, type, body] = typeof answer === 'function' ? answer(request) : answer;
    response.writeHead(status, { ...(type && { 'Content-Type': type }) }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => {
  server?.close();
  project?.dispose();
});

const url = () => `http://127.0.0.1:${server.address().port}`;
const run = (parameters, options) => project.cli(parameters, { env: { EDGEGATE_URL: url(), EDGEGATE_ADMIN_TOKEN: TOKEN }, ...options });
const json = (value, status = 200) => [status, 'application/json', typeof value === 'string' ? value : JSON.stringify(value)];

/** Each command that says that something was done. */
const DOES = [
  ['keys', 'mint', '--name', 'a', '--owner', 'b'], ['keys', 'import', '--name', 'a', '--owner', 'b', '--sha256', '0'.repeat(64)], ['keys', 'update', ID, '--disable'], ['keys', 'rotate', ID],
  ['keys', 'revoke', ID, '--yes'], ['revoke', '--sub', 'a', '--iss', 'i'], ['revoke', '--all', '--iss', 'i', '--yes'], ['revoke', '--file', 'many.ndjson'], ['revocations', 'undo', 'x', '--yes'],
  ['sessions', 'open', 'a'], ['sessions', 'open', 'a', '--ticket'], ['sessions', 'end', 'a'], ['sessions', 'narrow', 'x', '--subject', 'a'],
  ['subjects', 'disable', 'a'], ['subjects', 'enable', 'a'], ['subjects', 'forget', 'a', '--yes'],
];
const READS = [['keys', 'list'], ['keys', 'show', ID], ['revocations', 'list'], ['revocations', 'show', 'x'], ['revocations', 'export'], ['sessions', 'list', 'a']];

test('nothing is said to be done where no gate answers', async () => {
  writeFileSync(project.path('many.ndjson'), '{"jti":"a","iss":"i"}\n');
  const strange = {
    page: [200, 'text/html', '<html>Welcome</html>'], text: [200, 'text/plain', 'ok'], 'no type': [200, undefined, '{}'], 'half of JSON': json('{"id":'),
    'JSON of others': json({ message: 'hello' }), 'a list': json([1]), 'an empty list': json([]), 'null': json('null'), nothing: [200, 'application/json', ''], elsewhere: [302, 'text/html', ''],
  };
  for (const [what, given] of Object.entries(strange)) {
    answer = given;
    const all = [...DOES, ...READS];
    for (const parameters of ['page', 'JSON of others', 'null'].includes(what) ? all : all.filter((_, index) => index % 5 === 4)) {
      const done = await run(parameters);
      assert.deepEqual([done.code, done.stdout, /and not as a gate does\nhint: is this the URL of the gate\?/.test(done.stderr)], [1, '', true], `${what}, ${parameters.join(' ')}: ${done.stderr}`);
    }
  }
});

test('a status without a body is a gate\'s answer to undo alone', async () => {
  answer = [204];
  assert.equal((await run(['revocations', 'undo', 'x', '--yes'])).code, 0);
  for (const parameters of [...DOES, ...READS].filter(([, word]) => word !== 'undo')) assert.equal((await run(parameters)).code, 1, parameters.join(' '));
  answer = json({});
  assert.equal((await run(['revocations', 'undo', 'x', '--yes'])).code, 1);
});

test('what is said to be done is what the answer names', async () => {
  for (const record of [{ ...KEY, id: 'f'.repeat(32), revoked_at: 1 }, KEY]) {
    answer = json(record);
    assert.equal((await run(['keys', 'revoke', ID, '--yes'])).code, 1);
  }
  answer = json({ ...KEY, revoked_at: 1_800_000_000 });
  assert.equal((await run(['keys', 'revoke', ID, '--yes'])).code, 0);
});

test('a list whose pages come again and again ends', async () => {
  answer = json({ keys: [KEY], cursor: 'again' });
  const done = await run(['keys', 'list', '--all'], { env: { EDGEGATE_URL: url(), EDGEGATE_ADMIN_TOKEN: TOKEN } });
  assert.deepEqual([done.code, /the same page again and again/.test(done.stderr)], [1, true]);
});

test('an id is one part of a path, and no key', async () => {
  asked.length = 0;
  const key = 'sk_live_0123456789abcdef';
  for (const command of [['keys', 'show'], ['keys', 'rotate'], ['keys', 'revoke', '--yes'], ['revoke', '--key'], ['revocations', 'show'], ['revocations', 'undo', '--yes']]) {
    for (const id of ['..', '.', '']) assert.equal((await run([...command, id])).code, 2, `${command.join(' ')} ${id}`);
    if (command[0] === 'revocations') continue;
    const done = await run([...command, key]);
    assert.deepEqual([done.code, /expected the id of the key \(keys list\), not the key/.test(done.stderr), done.stderr.includes(key)], [2, true, false], command.join(' '));
  }
  assert.deepEqual(asked, []);
});
