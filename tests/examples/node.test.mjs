// The examples for Node, each as a project of its own with the packed package: one request that is admitted, one that is refused.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, createProject, run } from '../packaging/project.mjs';
import { ask, startProgram } from './program.mjs';

const EXAMPLES = path.join(ROOT, 'examples');
const URL_LINE = /http:\/\/127\.0\.0\.1:\d+/;
const pinned = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).devDependencies;

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

/** A copy of the example with its dependencies: the packed package, and the others as the repository has installed them. */
function copyOf(name) {
  const folder = project.path(name);
  cpSync(path.join(EXAMPLES, name), folder, { recursive: true, filter: (file) => !file.includes('node_modules') });
  const { edgegate, ...others } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).dependencies;
  assert.equal(edgegate, 'file:../../pkg');
  for (const [dependency, version] of Object.entries(others)) {
    assert.equal(version, pinned[dependency], `${name}: ${dependency} is not what is tested`);
    const link = project.path(path.join('node_modules', dependency));
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules', dependency), link, 'dir');
  }
  return folder;
}

/** Starts the example as its `npm start` does, and calls `use` with its folder, its URL and its output. */
async function started(name, { secrets = {}, ready = URL_LINE }, use) {
  const cwd = copyOf(name);
  const env = { ...process.env, PORT: '0', ...secrets };
  const program = await startProgram(process.execPath, ['server.mjs'], { cwd, env, ready });
  try {
    await use({ cwd, env, url: URL_LINE.exec(program.printed[0])[0], printed: program.printed });
  } finally {
    await program.stop();
  }
}

test('express: tokens and scopes', async () => {
  const secrets = { JWT_SECRET: 'a secret for this test, and long enough' };
  await started('express', { secrets }, async ({ cwd, env, url }) => {
    const token = (await run(process.execPath, ['token.mjs'], { cwd, env })).stdout.trim();
    const headers = { Authorization: `Bearer ${token}` };
    const admitted = await ask(`${url}/v1/posts`, { headers });
    assert.deepEqual([admitted.status, admitted.body], [200, { hello: 'alice' }]);
    assert.equal((await ask(`${url}/public/hello`)).status, 200);
    assert.equal((await ask(`${url}/v1/posts`)).code, 'MISSING_CREDENTIALS');
    assert.equal((await ask(`${url}/V1/Posts`)).code, 'MISSING_CREDENTIALS');
    assert.equal((await ask(`${url}/v1/posts`, { method: 'POST', headers })).code, 'INSUFFICIENT_SCOPE');
  });
});

test('hono: API keys', async () => {
  const secrets = { API_KEY_SECRET: 'a secret for this test, and long enough' };
  await started('hono', { secrets, ready: /http:\/\/\S+\nKEY=(\S+)\n/ }, async ({ url, printed: [, key] }) => {
    const admitted = await ask(`${url}/v1/posts`, { headers: { 'X-API-Key': key } });
    assert.deepEqual([admitted.status, admitted.body], [200, { hello: 'alice' }]);
    assert.equal((await ask(`${url}/v1/posts`, { headers: { 'X-API-Key': `${key}x` } })).code, 'INVALID_API_KEY');
  });
});

test('fastify: limits', async () => {
  await started('fastify', {}, async ({ url }) => {
    let admitted = 0;
    let answer = await ask(`${url}/v1/time`);
    for (; answer.status === 200 && admitted < 10; answer = await ask(`${url}/v1/time`)) {
      admitted += 1;
      assert.match(answer.headers.get('RateLimit'), /^"five-a-minute";r=\d;t=\d+$/);
    }
    // One more may pass if the first requests fall into the window before.
    assert.ok(admitted === 5 || admitted === 6, `${admitted} admitted`);
    assert.equal(answer.code, 'RATE_LIMITED');
    assert.ok(Number(answer.headers.get('Retry-After')) > 0);
  });
});
