// What a command says and prints where something else than a gate answers, or a gate that somebody else has taken over.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
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
  ['accounts', 'scopes', 'x', '--scope', 'a'], ['accounts', 'disable', 'x'], ['accounts', 'enable', 'x'], ['accounts', 'require-reset', 'x'], ['accounts', 'drop-factors', 'x', '--yes'], ['accounts', 'delete', 'x', '--yes'], ['accounts', 'prepare'],
];
const READS = [['keys', 'list'], ['keys', 'show', ID], ['revocations', 'list'], ['revocations', 'show', 'x'], ['revocations', 'export'], ['sessions', 'list', 'a'], ['accounts', 'find', 'a@example.com'], ['accounts', 'show', 'x']];

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

test('what goes on comes to an end, or says where to go on', async () => {
  for (const next of [0, -40, 4096, 0.5, '40', undefined]) {
    answer = json({ prepared: 40, next, of: 4096 });
    assert.equal((await run(['accounts', 'prepare'])).code, 1, `${next}`);
  }
  asked.length = 0;
  answer = () => (asked.length < 3 ? json({ prepared: 40, next: asked.length * 40, of: 4096 }) : json({ error: 'e', code: 'STORE_UNAVAILABLE', hint: 'Please try again' }, 503));
  const stopped = await run(['accounts', 'prepare']);
  assert.deepEqual([stopped.code, asked.length, /80 of 4096\n.*\nhint: go on with --from 80; Please try again/s.test(stopped.stderr)], [1, 3, true], stopped.stderr);
  const told = await run(['accounts', 'prepare', '--json', '--from', '80']);
  assert.deepEqual([told.code, told.stdout, JSON.parse(told.stderr).error.code], [1, '', 'STORE_UNAVAILABLE']);
  answer = json({ prepared: 16, next: null, of: 4096 });
  assert.deepEqual((await run(['accounts', 'prepare', '--json', '--from', '4080'])).json(), { from: 4080, of: 4096 });
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

test('the secret of one gate is not sent to another', async () => {
  answer = json({ keys: [] });
  const secrets = async (parameters, env, input) => {
    asked.length = 0;
    const done = await run(parameters, { env, input });
    return [done.code, asked.map(({ secret }) => secret)];
  };
  const bearer = (token) => [0, [`Bearer ${token}`]];
  const other = 'the-secret-of-another-gate-0123456789-abcd';
  assert.deepEqual(await secrets(['profiles', 'save', 'kept', '--url', url(), '--token-file', '-'], {}, TOKEN), [0, []]);
  assert.deepEqual(await secrets(['keys', 'list', '--profile', 'kept'], { EDGEGATE_ADMIN_TOKEN: other }), bearer(TOKEN));
  assert.deepEqual(await secrets(['keys', 'list'], { EDGEGATE_PROFILE: 'kept', EDGEGATE_ADMIN_TOKEN: other }), bearer(TOKEN));
  // The profile that is named for the Worker of the folder.
  assert.equal((await run(['profiles', 'save', '--url', url(), '--token-file', '-'], { env: {}, input: TOKEN })).code, 0);
  assert.deepEqual(await secrets(['keys', 'list'], { EDGEGATE_ADMIN_TOKEN: other }), bearer(TOKEN));
  assert.deepEqual(await secrets(['keys', 'list', '--url', `${url()}/here`], { EDGEGATE_ADMIN_TOKEN: other }), bearer(other));
  // The variables belong together.
  assert.deepEqual(await secrets(['keys', 'list', '--url', `${url()}/here`], { EDGEGATE_URL: url(), EDGEGATE_ADMIN_TOKEN: other }), [2, []]);
  assert.deepEqual(await secrets(['profiles', 'save', 'x', '--url', `${url()}/here`], { EDGEGATE_URL: url(), EDGEGATE_ADMIN_TOKEN: other }), [2, []]);
  for (const name of ['kept', 'default']) assert.equal((await run(['profiles', 'remove', name])).code, 0);
});

test('a gate that is named needs no configuration that can be read', async () => {
  answer = json({ keys: [] });
  writeFileSync(project.path('wrangler.toml'), 'name = "broken');
  try {
    assert.equal((await run(['keys', 'list', '--url', url()])).code, 0);
    assert.equal((await run(['keys', 'list'])).code, 0);
    const unnamed = await run(['keys', 'list'], { env: {} });
    assert.deepEqual([unnamed.code, /wrangler\.toml:1/.test(unnamed.stderr)], [1, true]);
  } finally {
    rmSync(project.path('wrangler.toml'));
  }
});

test('standard input is one thing only, and a secret is not empty', async () => {
  asked.length = 0;
  answer = json(KEY, 201);
  for (const parameters of [['keys', 'import', '--name', 'a', '--owner', 'b'], ['revoke', '--token', '-'], ['revoke', '--file', '-']]) {
    const done = await run([...parameters, '--token-file', '-'], { env: { EDGEGATE_URL: url() }, input: TOKEN });
    assert.deepEqual([done.code, /standard input cannot be .* and --token-file/.test(done.stderr)], [2, true], done.stderr);
  }
  for (const [parameters, env] of [[['keys', 'list', '--token-file', '-'], {}], [['keys', 'list'], { EDGEGATE_ADMIN_TOKEN: '' }], [['profiles', 'save', 'x'], { EDGEGATE_ADMIN_TOKEN: ' ' }], [['revoke', '--token', '-'], { EDGEGATE_ADMIN_TOKEN: TOKEN }]]) {
    assert.equal((await run(parameters, { env: { EDGEGATE_URL: url(), ...env }, input: '\n' })).code, 2, parameters.join(' '));
  }
  assert.deepEqual(asked, []);
});

test('what others have written steers neither the terminal nor the log of a build', async () => {
  const evil = '\u001b]0;title\u0007\u001b[2K\u009b31m\u007f\u202eabc\u2066\r::error::x\n::add-mask::y\n##[error]z ##vso[task.setvariable]w';
  const key = { ...KEY, name: evil, owner: evil, key: `sk${evil}`, scopes: [evil], limits: { [evil]: 1 }, revoked_at: 1 };
  const revocation = { id: 'x', target: { kind: 'subject', iss: evil, sub: evil }, reason: evil };
  /** Orders begin a line, or stand in it with two number signs. */
  const harmless = (done) => assert.doesNotMatch(done.stdout + done.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|^\s*::|##\w*\[/m);
  const answers = [
    [['keys', 'list'], { keys: [key], cursor: evil }], [['keys', 'show', ID], key], [['keys', 'mint', '--name', 'a', '--owner', 'b'], key], [['keys', 'revoke', ID, '--yes'], key],
    [['revocations', 'list'], { revocations: [revocation], cursor: evil }], [['revoke', '--sub', 'a', '--iss', 'b'], revocation],
    [['sessions', 'open', 'a'], { access_token: evil, session_id: evil, refresh_token: evil }], [['sessions', 'open', 'a', '--ticket'], { ticket: evil }],
    [['sessions', 'list', 'a'], { sessions: [{ id: evil, label: evil, scopes: [evil] }] }],
  ];
  for (const [parameters, value] of answers) {
    answer = json(value);
    const shown = await run(parameters);
    assert.equal(shown.code, 0, shown.stderr);
    harmless(shown);
    const printed = await run([...parameters, '--json']);
    harmless(printed);
    assert.deepEqual(printed.json(), value, parameters.join(' '));
  }
  answer = [200, 'application/x-ndjson', `${JSON.stringify(revocation)}\n`];
  const exported = await run(['revocations', 'export']);
  harmless(exported);
  assert.deepEqual(JSON.parse(exported.stdout), revocation);
  answer = json({ error: evil, code: evil, hint: evil }, 400);
  for (const more of [[], ['--json']]) harmless(await run(['keys', 'list', ...more]));

  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const more of [[], ['--json']]) {
    const inspected = await run(['token', 'inspect', '-', ...more], { input: `${part({ alg: 'HS256', kid: evil })}.${part({ iss: evil, [evil]: 1 })}.AA` });
    assert.equal(inspected.code, 0, inspected.stderr);
    harmless(inspected);
  }
  const policy = { admin: { secret: 'x'.repeat(3) }, routes: [{ path: '/*', upstream: { service: evil } }, { path: evil, [evil]: 1 }], issuers: [{ issuer: evil, audience: [evil] }] };
  for (const configuration of [policy, { name: 'x', main: 'y', vars: { POLICY: policy } }, { name: 'x', main: 'y', vars: { POLICY: { upstream: { service: evil } } } }]) {
    writeFileSync(project.path('evil.json'), JSON.stringify(configuration));
    for (const more of [[], ['--json']]) {
      const checked = await run(['check', 'evil.json', ...more]);
      assert.equal(checked.code, 1);
      harmless(checked);
    }
  }
});

test('a secret has a name that wrangler takes for a name', async () => {
  for (const name of ['--name', 'A B', 'A=B', 'A\nB', 'é', '1A', '']) {
    writeFileSync(project.path('named.json'), JSON.stringify({ admin: { secret: name } }));
    const done = await run(['check', 'named.json']);
    assert.deepEqual([done.code, /is no name for a secret/.test(done.stderr)], [1, true], name);
  }
  writeFileSync(project.path('named.json'), JSON.stringify({ admin: { secret: '_A1b' } }));
  assert.equal((await run(['check', 'named.json'])).code, 0);
});
