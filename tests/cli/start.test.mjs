// From an empty folder, with nothing but Node, to an API that answers; then the files that would be deployed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { closedPort } from '../worker/harness.mjs';
import { ROOT, background, environment, onlyNode, pack, temporary } from './command-line.mjs';

const run = promisify(execFile);

describe('with Node alone', () => {
  let home;
  let folder;
  let env;
  before(async () => {
    home = temporary();
    const { tarball } = await pack(home.folder);
    folder = path.join(home.folder, 'my-gate');
    // What is not published is taken from the tarball; npm takes the rest from its cache, where `npm ci` has left it.
    env = environment(home.folder, { PATH: await onlyNode(home.folder), EDGEGATE_SPEC: `file:${tarball}`, npm_config_prefer_offline: 'true', npm_config_fund: 'false' });
    await run('npm', ['install', '--prefix', path.join(home.folder, 'npx'), '--offline', '--no-audit', tarball], { env });
  });
  after(() => home?.dispose());

  test('no cargo is there', async () => {
    await assert.rejects(run('sh', ['-c', 'command -v cargo rustc rustup git'], { env }));
  });

  test('init --yes, dev --port N: a request with the key that it made is admitted, one without is not', async (t) => {
    const began = performance.now();
    // As `npx edgegate init` runs it where npx has put it.
    const program = path.join(home.folder, 'npx/node_modules/.bin/edgegate');
    const { stderr } = await run(program, ['init', 'my-gate', '--yes'], { env, cwd: home.folder });
    assert.match(stderr, /npx edgegate dev/);
    const installed = performance.now();
    const port = await closedPort();
    const dev = await background('npx', ['edgegate', 'dev', '--port', String(port), '--json'], { env, cwd: folder });
    try {
      const { url, key, token, profile } = dev.value;
      const ready = performance.now();
      assert.deepEqual([url, profile], [`http://127.0.0.1:${port}`, 'dev']);
      const status = async (target, headers = {}) => (await fetch(`${url}${target}`, { headers })).status;
      assert.equal(await status('/v1/hello', { 'X-API-Key': key }), 200);
      assert.equal(await status('/v1/hello', { Authorization: `Bearer ${token}` }), 200);
      assert.equal(await status('/v1/hello'), 401);
      assert.equal(await status('/public/hello'), 200);
      assert.equal(await status('/elsewhere', { 'X-API-Key': key }), 403);
      const seconds = (from, to) => ((to - from) / 1000).toFixed(1);
      t.diagnostic(`init ${seconds(began, installed)} s, dev ${seconds(installed, ready)} s, ${await megabytes(folder)} MB on disk`);
      // Administration finds it by the profile that `dev` has saved.
      const { stdout } = await run('npx', ['edgegate', 'keys', 'list', '--profile', 'dev', '--json'], { env, cwd: folder });
      assert.deepEqual(JSON.parse(stdout).keys.map(({ name }) => name), ['demo']);
      assert.equal(statSync(path.join(folder, '.wrangler/edgegate-demo-key')).mode & 0o777, 0o600);
      // The lines of the guide, as they stand there.
      const [, lines] = /^```sh [^\n]*\n(KEY=.*?)^```$/ms.exec(readFileSync(path.join(ROOT, 'docs/command-line.md'), 'utf8'));
      const { stdout: printed } = await run('sh', ['-euc', `${lines}printf 'key %s' "$KEY"`], { env, cwd: folder });
      assert.match(printed, /^ID +NAME[^]* laptop +alice +read [^]*key sk_live_\w+$/);
      assert.equal(await status('/v1/hello', { 'X-API-Key': /key (\w+)$/.exec(printed)[1] }), 200);
      const taken = await run('npx', ['edgegate', 'dev', '--port', String(port)], { env, cwd: folder }).catch((error) => error);
      assert.match(taken.stderr, new RegExp(`port ${port} is taken\nhint: .*--port ${port + 1}`));
    } finally {
      await dev.stop();
    }
    await until(async () => !(await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)));
  });

  test('a second start takes the same key, and a policy that is refused starts nothing', async () => {
    const port = await closedPort();
    const dev = await background('npx', ['edgegate', 'dev', '--port', String(port), '--json'], { env, cwd: folder });
    await dev.stop();
    assert.equal(dev.value.key, readFileSync(path.join(folder, '.wrangler/edgegate-demo-key'), 'utf8').split('\n')[0]);
    const vars = path.join(folder, '.dev.vars');
    const whole = readFileSync(vars, 'utf8');
    writeFileSync(vars, whole.replace(/^ADMIN_TOKEN=.*/m, 'ADMIN_TOKEN=short'));
    const refused = await run('npx', ['edgegate', 'dev'], { env, cwd: folder }).catch((error) => error);
    writeFileSync(vars, whole);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /admin\.secret: .*expected at least 32.*\n[^]*nothing was started/);
  });

  test('deploy --dry-run, and wrangler deploy --dry-run', async (t) => {
    const { stdout } = await run('npx', ['edgegate', 'deploy', '--dry-run', '--json'], { env, cwd: folder });
    const { upload, secrets } = JSON.parse(stdout);
    assert.deepEqual(secrets, { random: ['ADMIN_TOKEN', 'API_KEY_SECRET', 'SESSION_SECRET'], asked: [] });
    t.diagnostic(`upload: ${upload}`);
    const { stdout: said } = await run('npx', ['wrangler', 'deploy', '--dry-run', '--outdir', 'dist'], { env, cwd: folder });
    assert.match(said, /EDGEGATE_KV/);
    assert.match(said, /EDGEGATE_KEYS \(KeyRingObject\)/);
    assert.ok(existsSync(path.join(folder, 'dist/index.js')));
  });

  test('npm create edgegate', async () => {
    const { version, dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'pkg/create/package.json'), 'utf8'));
    const own = JSON.parse(readFileSync(path.join(ROOT, 'pkg/package.json'), 'utf8')).version;
    assert.deepEqual([version, dependencies], [own, { edgegate: own }]);
    const creator = await run('npm', ['pack', '--json', '--pack-destination', home.folder], { env, cwd: path.join(ROOT, 'pkg/create') });
    const [{ filename }] = JSON.parse(creator.stdout);
    const place = path.join(home.folder, 'npx');
    await run('npm', ['install', '--prefix', place, '--offline', '--no-audit', path.join(home.folder, filename)], { env });
    const { stderr } = await run(path.join(place, 'node_modules/.bin/create-edgegate'), ['created', '--yes', '--no-install', '--provider', 'auth0'], { env, cwd: home.folder });
    assert.match(stderr, /cd created && npm install && npx edgegate dev/);
    assert.match(readFileSync(path.join(home.folder, 'created/wrangler.toml'), 'utf8'), /auth0\.com/);
  });
});

async function megabytes(folder) {
  const { stdout } = await run('du', ['-sm', folder]);
  return Number.parseInt(stdout, 10);
}

async function until(wanted) {
  const end = Date.now() + 20_000;
  while (!(await wanted())) assert.ok(Date.now() < end, `not within 20 s: ${wanted}`);
}
