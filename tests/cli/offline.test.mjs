// Commands that need no gate: check, token, init without an installation, completions; and how the program is used wrongly.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'smol-toml';

import { KV, OBJECTS, COMPATIBILITY_DATE, migrations } from '../../pkg/cli/deployed.js';
import { guides } from '../../xtask/package/cli.mjs';
import { signHmac } from '../worker/token.mjs';
import { ROOT, environment, fakeWrangler, freePort, installed } from './command-line.mjs';

let project;
before(async () => {
  project = await installed();
});
after(() => project?.dispose());

const run = (parameters, options) => project.cli(parameters, options);
const write = (name, text) => path.join(project.folder, project.write(name, typeof text === 'string' ? text : JSON.stringify(text)));

/** A folder of its own in the project, as `init` writes it. */
async function written(name, ...options) {
  const folder = path.join(project.folder, name);
  const done = await run(['init', name, '--yes', '--no-install', ...options]);
  assert.equal(done.code, 0, done.stderr);
  return { folder, file: (one) => path.join(folder, one), toml: () => parse(readFileSync(path.join(folder, 'wrangler.toml'), 'utf8')), done };
}

describe('init', () => {
  test('binds what the repository binds', async () => {
    const own = (await written('bindings')).toml();
    const repository = parse(readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8'));
    for (const field of ['compatibility_date', 'kv_namespaces', 'durable_objects', 'migrations', 'observability']) assert.deepEqual(own[field], repository[field], field);
    assert.equal(COMPATIBILITY_DATE, repository.compatibility_date);
    assert.deepEqual(repository.kv_namespaces.map(({ binding }) => binding), [KV]);
    assert.deepEqual(Object.values(OBJECTS).map((one) => one.class), migrations().flatMap(({ classes }) => classes));
  });

  test('writes secrets that its owner alone can read, and that git ignores', async () => {
    const { file, folder } = await written('secrets');
    assert.equal(statSync(file('.dev.vars')).mode & 0o777, 0o600);
    const vars = readFileSync(file('.dev.vars'), 'utf8');
    assert.match(vars, /^ADMIN_TOKEN=[\w-]{43}\nAPI_KEY_SECRET=[\w-]{43}\nSESSION_SECRET=[\w-]{43}\n$/);
    assert.match(readFileSync(file('.dev.vars.example'), 'utf8'), /^ADMIN_TOKEN=\nAPI_KEY_SECRET=\nSESSION_SECRET=\n$/m);
    execFileSync('git', ['init', '-q'], { cwd: folder });
    const shown = execFileSync('git', ['status', '--short', '--untracked-files=all'], { cwd: folder, encoding: 'utf8' });
    assert.deepEqual(shown.match(/\S+$/gm), ['.dev.vars.example', '.gitignore', 'package.json', 'src/index.js', 'wrangler.toml']);
  });

  test('secrets are written through no link, and are for their owner alone also where nothing is added', async () => {
    const { file, folder } = await written('linked');
    const elsewhere = path.join(project.folder, 'elsewhere');
    writeFileSync(elsewhere, 'theirs\n', { mode: 0o644 });
    rmSync(file('.dev.vars'));
    symlinkSync(elsewhere, file('.dev.vars'));
    assert.equal((await run(['init', 'linked', '--yes', '--no-install', '--force'])).code, 0);
    assert.deepEqual([readFileSync(elsewhere, 'utf8'), statSync(elsewhere).mode & 0o777], ['theirs\n', 0o644]);
    assert.deepEqual([lstatSync(file('.dev.vars')).isFile(), statSync(file('.dev.vars')).mode & 0o777], [true, 0o600]);
    assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.tmp')), []);
    chmodSync(file('.dev.vars'), 0o644);
    assert.equal((await run(['init', 'linked', '--yes', '--no-install', '--force'])).code, 0);
    assert.equal(statSync(file('.dev.vars')).mode & 0o777, 0o600);
  });

  test('overwrites nothing without being told, and never a secret', async () => {
    const { file, done } = await written('twice');
    assert.ok(!done.stdout.includes(readFileSync(file('.dev.vars'), 'utf8').slice(12, 40)));
    const kept = readFileSync(file('.dev.vars'), 'utf8');
    writeFileSync(file('wrangler.toml'), 'name = "mine"\n');
    const again = await run(['init', 'twice', '--yes', '--no-install']);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /wrangler\.toml and src\/index\.js are here already\nhint: .*--force/);
    assert.equal(readFileSync(file('wrangler.toml'), 'utf8'), 'name = "mine"\n');
    assert.equal((await run(['init', 'twice', '--yes', '--no-install', '--force'])).code, 0);
    assert.equal(readFileSync(file('.dev.vars'), 'utf8'), kept);
    writeFileSync(file('wrangler.jsonc'), '{}');
    assert.equal((await run(['init', 'twice', '--yes', '--no-install', '--force'])).code, 1);
  });

  test('keeps what a package.json and a .gitignore have', async () => {
    mkdirSync(path.join(project.folder, 'kept'));
    write('kept/package.json', { name: 'mine', scripts: { dev: 'vite' }, dependencies: { hono: '4' } });
    write('kept/.gitignore', 'dist');
    write('kept/.dev.vars.example', 'MINE=');
    const { file } = await written('kept');
    const { name, scripts, dependencies } = JSON.parse(readFileSync(file('package.json'), 'utf8'));
    assert.deepEqual([name, scripts.dev, scripts.deploy, dependencies.hono, dependencies.edgegate], ['mine', 'vite', 'edgegate deploy', '4', `^${project.packed.version}`]);
    assert.match(readFileSync(file('.gitignore'), 'utf8'), /^dist\nnode_modules\/\n/);
    assert.equal(readFileSync(file('.dev.vars.example'), 'utf8'), 'MINE=');
  });

  for (const { name, title } of guides()) {
    test(`the policy behind ${title} is that of its guide, and is taken`, async () => {
      const { folder, toml } = await written(`provider-${name}`, '--provider', name);
      const guide = parse(guides().find((one) => one.name === name).policy).vars.POLICY;
      const { issuers, routes } = toml().vars.POLICY;
      assert.deepEqual({ issuers, routes }, { issuers: guide.issuers, routes: guide.routes });
      const checked = await run(['check', '--json'], { cwd: folder });
      assert.equal(checked.code, 0, checked.stdout);
    });
  }

  test('the own names of an operator stand in the policy', async () => {
    const { toml, folder } = await written('own', '--provider', 'auth0', '--issuer', 'https://acme.eu.auth0.com/', '--audience', 'https://api.acme.io', '--upstream', 'https://origin.acme.io', '--name', 'acme-gate');
    const { name, vars: { POLICY: policy } } = toml();
    assert.deepEqual([name, policy.upstream, policy.issuers[0].issuer, policy.issuers[0].audience], ['acme-gate', 'https://origin.acme.io', 'https://acme.eu.auth0.com/', ['https://api.acme.io']]);
    assert.deepEqual((await run(['check', '--json'], { cwd: folder })).json().findings, []);
    const { toml: odd } = await written('own-odd', '--provider', 'auth0', '--issuer', "https://acme.test/$&/$'/$`", '--audience', "a$&b$'c");
    assert.deepEqual([odd().vars.POLICY.issuers[0].issuer, odd().vars.POLICY.issuers[0].audience], ["https://acme.test/$&/$'/$`", ["a$&b$'c"]]);
    const { toml: access } = await written('own-host', '--provider', 'cloudflare-access', '--issuer', 'https://acme.cloudflareaccess.com');
    assert.equal(access().vars.POLICY.issuers[0].jwks_uri, 'https://acme.cloudflareaccess.com/cdn-cgi/access/certs');
    assert.deepEqual(access().vars.POLICY.credential_headers[0].issuers, ['https://acme.cloudflareaccess.com']);
  });

  test('what cannot be meant is refused, and nothing is written', async () => {
    for (const parameters of [['--provider', 'nobody'], ['--name', 'Not A Name'], ['--upstream', 'ftp://x'], ['--issuer', 'https://x/'], ['--upstream', 'https://x"\nadmin = 1']]) {
      const done = await run(['init', 'wrong', '--yes', '--no-install', ...parameters]);
      assert.deepEqual([done.code, existsSync(path.join(project.folder, 'wrong'))], [2, false], parameters.join(' '));
    }
  });
});

describe('check', () => {
  const findings = async (file, ...options) => {
    const done = await run(['check', file, '--json', ...options]);
    return { code: done.code, ...done.json() };
  };

  test('the example of the repository', async () => {
    const { code, ok, findings: found, secrets } = await findings(path.join(ROOT, 'wrangler.toml'));
    assert.deepEqual([code, ok], [0, true], JSON.stringify(found));
    assert.ok(secrets.includes('JWT_SECRET'));
  });

  test('a fault has its place, and ends with 1', async () => {
    const { folder, file } = await written('faulty');
    writeFileSync(file('wrangler.toml'), readFileSync(file('wrangler.toml'), 'utf8').replace('scopes = { all = ["write"] }', 'scope = ["write"]'));
    const done = await run(['check'], { cwd: folder });
    assert.equal(done.code, 1);
    const line = readFileSync(file('wrangler.toml'), 'utf8').split('\n').findIndex((one) => one.startsWith('scope =')) + 1;
    assert.match(done.stderr, new RegExp(`error: .*wrangler\\.toml:${line}: routes\\[2\\]\\.scope: is not a known field`));
  });

  test('a route that is never reached, a missing binding, a missing migration', async () => {
    const policy = { api_keys: { environment: 'live', prefixes: [{ prefix: 'sk' }], signing_keys: [{ id: 1, secret: 'K' }] }, routes: [{ path: '/*' }, { path: '/a' }] };
    const unreachable = await findings(write('unreachable.json', policy));
    assert.deepEqual([unreachable.code, unreachable.findings.map(({ path: at, message }) => `${at}: ${message}`)], [1, ['routes[1]: is never reached, routes[0] matches first']]);
    const bound = { ...policy, routes: [{ path: '/*', limits: ['a'] }], limits: [{ name: 'a', requests: 1, window_secs: 9 }], upstream: { service: 'API' } };
    const configuration = { name: 'x', main: 'x.js', durable_objects: { bindings: [{ name: 'EDGEGATE_COUNTERS', class_name: 'CounterObject' }] }, vars: { POLICY: bound } };
    const { code, findings: found } = await findings(write('wrangler.missing.jsonc', `// comments are fine\n${JSON.stringify(configuration)}`));
    assert.equal(code, 1);
    assert.deepEqual(found.map(({ path: at, message }) => `${at}: ${message}`), [
      'EDGEGATE_KV: the policy needs this KV namespace', 'EDGEGATE_COUNTERS: no migration makes the class CounterObject', 'upstream.service: there is no service binding named API',
    ]);
  });

  test('a policy that may come keeps nothing from working, and --shadow checks it alone', async () => {
    const watching = { watch: { secret: 'WATCH_SECRET', shadow: {} }, routes: [{ path: '/*', auth: 'none' }] };
    const objects = [{ name: OBJECTS.watch.binding, class_name: OBJECTS.watch.class }];
    const made = migrations().map(({ tag, classes }) => ({ tag, new_sqlite_classes: classes }));
    const configuration = (vars) => ({ name: 'x', main: 'x.js', durable_objects: { bindings: objects }, migrations: made, vars });
    const told = async (name, vars, ...options) => {
      const { code, findings: found } = await findings(write(name, configuration(vars)), ...options);
      return [code, ...found.filter(({ path: at }) => /shadow/i.test(at ?? '') || options.length > 0).map(({ level, path: at, message }) => `${level} ${at}: ${message}`)];
    };
    const faulty = { routes: [{ path: '/*', auth: 'maybe' }] };
    const fault = 'routes[0].auth: expected one of required, optional, none';
    assert.deepEqual(await told('wrangler.may-come.jsonc', { POLICY: watching, POLICY_SHADOW: faulty }), [0, `warning POLICY_SHADOW: ${fault}`]);
    assert.deepEqual(await told('wrangler.may-come.jsonc', { POLICY: watching, POLICY_SHADOW: faulty }, '--shadow'), [1, `error ${fault}`]);
    assert.deepEqual(await told('wrangler.may-come.jsonc', { POLICY: watching, POLICY_SHADOW: watching }), [0]);
    assert.deepEqual(await told('wrangler.may-come.jsonc', { POLICY: watching }), [0, 'warning watch.shadow: there is no variable POLICY_SHADOW: nothing is judged beside this policy']);
    const { watch, ...blind } = watching;
    assert.deepEqual(await told('wrangler.may-come.jsonc', { POLICY: blind, POLICY_SHADOW: watching }), [0, 'warning POLICY_SHADOW: is not judged: the policy has no watch.shadow']);
    const without = await run(['check', write('wrangler.may-come.jsonc', configuration({ POLICY: watching })), '--shadow']);
    assert.match(without.stderr, /there is no \[vars\.POLICY_SHADOW\]/);
  });

  test('weak secrets: short ones are errors, others that nobody has drawn at random are warnings', async () => {
    const { folder, file } = await written('weak');
    const vars = (token, key) => writeFileSync(file('.dev.vars'), `ADMIN_TOKEN=${token}\nAPI_KEY_SECRET=${key}\nSESSION_SECRET=0123456789abcdefghijklmnopqrstuvwxyz\n`);
    vars('changeme', 'k'.repeat(40));
    const short = await run(['check', '--json'], { cwd: folder });
    assert.equal(short.code, 1);
    assert.match(short.json().findings[0].message, /expected at least 32/);
    vars('ab'.repeat(20), 'ab'.repeat(20));
    const weak = await run(['check', '--json'], { cwd: folder });
    assert.deepEqual([weak.code, weak.json().findings.map(({ level, path: at }) => `${level} ${at}`)], [0, ['warning ADMIN_TOKEN', 'warning API_KEY_SECRET', 'warning API_KEY_SECRET']]);
    assert.ok(!(weak.stdout + weak.stderr).includes('abab'));
    assert.equal((await run(['check', '--strict'], { cwd: folder })).code, 1);
  });

  test('the example of a guide that is still there, and paths that no route names, are warnings', async () => {
    const { folder } = await written('example', '--provider', 'okta');
    assert.deepEqual((await run(['check', '--json'], { cwd: folder })).json().findings.map(({ level, path: at }) => `${level} ${at}`), ['warning issuers[0].issuer']);
    const open = await findings(write('open.json', { issuers: [{ issuer: 'https://i.test/', audience: ['a'], discovery: true, algorithms: ['RS256'] }], routes: [{ path: '/a' }] }));
    assert.deepEqual(open.findings.map(({ path: at }) => at), ['routes']);
  });

  test('an environment of wrangler inherits neither policy nor bindings', async () => {
    const { folder, file } = await written('environments');
    const policy = 'api_keys = { environment = "test", prefixes = [{ prefix = "sk" }], signing_keys = [{ id = 1, secret = "K" }] }';
    writeFileSync(file('wrangler.toml'), `${readFileSync(file('wrangler.toml'), 'utf8')}\n[env.staging.vars.POLICY]\n${policy}\n`);
    assert.equal((await run(['check'], { cwd: folder })).code, 0);
    const staging = await run(['check', '--env', 'staging', '--json'], { cwd: folder });
    assert.deepEqual([staging.code, staging.json().findings.map((one) => one.path)], [1, ['EDGEGATE_KV']]);
    assert.equal((await run(['check', '--env', 'nope'], { cwd: folder })).code, 2);
  });

  test('a policy that is too long for a variable; one that is in KV', async () => {
    const routes = Array.from({ length: 200 }, (_, index) => ({ path: `/some/quite/long/path/${index}`, auth: 'none' }));
    const { code, findings: [finding] } = await findings(write('wrangler.long.json', { name: 'x', vars: { POLICY: { routes } } }));
    assert.deepEqual([code, finding.path], [1, 'POLICY']);
    const kv = await findings(write('wrangler.kv.json', { name: 'x', kv_namespaces: [{ binding: 'EDGEGATE_KV' }], vars: { POLICY: { source: 'kv' } } }));
    assert.deepEqual([kv.code, kv.source], [0, 'kv']);
  });

  test('files that cannot be read', async () => {
    assert.deepEqual((await run(['check', 'nothing.toml'])).code, 2);
    const toml = await run(['check', write('broken.toml', '[vars\nPOLICY')]);
    assert.deepEqual([toml.code, /broken\.toml:1: /.test(toml.stderr)], [1, true]);
    assert.match((await run(['check', write('broken.jsonc', '{\n"a": }')])).stderr, /broken\.jsonc:2: /);
  });
});

describe('token', () => {
  const secret = 'a secret of the tests, 32 bytes or more';
  const claims = { iss: 'https://i.test/', aud: 'a', sub: 'alice', scope: 'read', exp: 4_000_000_000 };
  const policy = { issuers: [{ issuer: 'https://i.test/', audience: ['a'], algorithms: ['HS256'], secret: 'JWT_SECRET' }] };

  test('is shown, and not believed', async () => {
    const done = await run(['token', 'inspect', '-'], { input: signHmac(claims, { secret }) });
    assert.deepEqual([done.code, /"sub": "alice"/.test(done.stdout), /exp +2096-10-02/.test(done.stdout), /nothing is verified/.test(done.stderr)], [0, true, true, true]);
    assert.equal((await run(['token', 'inspect', '-'], { input: 'no token' })).code, 1);
  });

  test('is no argument', async () => {
    const text = signHmac(claims, { secret });
    for (const parameters of [['token', 'inspect', text], ['revoke', '--token', text, '--url', 'http://127.0.0.1:1'], ['keys', 'list', '--token-file', text, '--url', 'http://127.0.0.1:1']]) {
      const done = await run(parameters);
      assert.deepEqual([done.code, /does not belong into the command line/.test(done.stderr), done.stderr.includes(text)], [2, true, false], parameters[0]);
    }
  });

  test('is held against a policy', async () => {
    mkdirSync(path.join(project.folder, 'judged'), { recursive: true });
    const file = write('judged/policy.json', policy);
    write('judged/.dev.vars', `JWT_SECRET="${secret}"\n`);
    const judge = async (text) => {
      const done = await run(['token', 'inspect', '-', '--policy', file, '--json'], { input: text });
      return [done.code, done.json().verdict.code];
    };
    assert.deepEqual(await judge(signHmac(claims, { secret })), [0, undefined]);
    assert.deepEqual(await judge(signHmac({ ...claims, exp: 5 }, { secret })), [1, 'TOKEN_EXPIRED']);
    assert.deepEqual(await judge(signHmac(claims, { secret: `${secret}!` })), [1, 'INVALID_TOKEN']);
    assert.deepEqual(await judge(signHmac({ ...claims, iss: 'https://other.test/' }, { secret })), [1, 'INVALID_TOKEN']);
    const { folder } = await written('own-tokens');
    const own = await run(['token', 'inspect', '-', '--policy', 'wrangler.toml'], { cwd: folder, input: signHmac({ ...claims, iss: 'https://gate.edgegate.local/' }, { secret }) });
    assert.deepEqual([own.code, /a token of the gate itself\nhint: /.test(own.stderr)], [1, true]);
  });

  test('is minted for an issuer whose secret is here, and the policy takes it', async () => {
    const minted = await run(['token', 'mint', '--policy', 'judged/policy.json', '--sub', 'bob', '--scope', 'read', '--claim', 'org=acme', '--claim', 'age=7', '--expires-in', '5m']);
    assert.equal(minted.code, 0, minted.stderr);
    const inspected = await run(['token', 'inspect', '-', '--policy', 'judged/policy.json', '--json'], { input: minted.stdout });
    const { claims: { sub, org, age }, verdict } = inspected.json();
    assert.deepEqual([sub, org, age, verdict], ['bob', 'acme', 7, { ok: true, subject: 'bob', scopes: ['read'] }]);
    const { folder } = await written('nobody');
    assert.match((await run(['token', 'mint'], { cwd: folder })).stderr, /no issuer of the policy has a secret\nhint: .*sessions open/);
  });
});

describe('deploy', () => {
  const deployed = 'Uploaded gate\n  https://gate.nobody.workers.dev\nCurrent Version ID: 1';

  async function prepared(name, list) {
    const { folder, file, toml } = await written(name);
    mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
    fakeWrangler(folder, { 'secret list': list, 'secret put': 'ok', 'deploy --dry-run': 'Total Upload: 1.00 KiB / gzip: 0.50 KiB', deploy: deployed });
    return { folder, file, toml, calls: () => JSON.parse(readFileSync(path.join(folder, 'calls.json'), 'utf8')) };
  }

  test('--dry-run checks and builds, and names the secrets', async () => {
    const { folder, calls } = await prepared('dry', '[]');
    const done = await run(['deploy', '--dry-run', '--json'], { cwd: folder });
    assert.deepEqual([done.code, done.json()], [0, { dryRun: true, secrets: { random: ['ADMIN_TOKEN', 'API_KEY_SECRET', 'SESSION_SECRET'], asked: [] }, upload: '1.00 KiB / gzip: 0.50 KiB' }]);
    assert.deepEqual(calls().map(({ parameters }) => parameters), [['deploy', '--dry-run', '--config', 'wrangler.toml']]);
  });

  test('puts what is missing, through standard input, and keeps what has to be known', async () => {
    const { folder, calls } = await prepared('put', '[{"name": "API_KEY_SECRET", "type": "secret_text"}]');
    // Nobody is at that address: what comes after the deployment gives up.
    const done = await run(['deploy', '--yes', '--url', 'http://127.0.0.1:1', '--wait', '0', '--json'], { cwd: folder });
    const puts = calls().filter(({ parameters: [, word] }) => word === 'put');
    assert.deepEqual(puts.map(({ parameters }) => parameters[2]), ['ADMIN_TOKEN', 'SESSION_SECRET']);
    assert.ok(puts.every(({ input }) => /^[\w-]{43}$/.test(input)));
    const profiles = JSON.parse(readFileSync(path.join(project.folder, 'config/edgegate/profiles.json'), 'utf8'));
    assert.deepEqual(profiles, { put: { url: 'http://127.0.0.1:1/auth', token: puts[0].input } });
    for (const { input } of puts) {
      assert.ok(!JSON.stringify(calls().map(({ parameters }) => parameters)).includes(input), 'a secret is an argument');
      assert.ok(!(done.stdout + done.stderr).includes(input), 'a secret is printed');
    }
    rmSync(path.join(project.folder, 'config'), { recursive: true });
  });

  test('a Worker that does not exist yet has no secrets; any other fault stops before anything is put', async () => {
    const { folder, calls } = await prepared('new', '!Worker "new" not found.\n\nIf this is a new Worker, run `wrangler deploy` first to create it.');
    await run(['deploy', '--yes', '--url', 'http://127.0.0.1:1', '--wait', '0'], { cwd: folder });
    assert.equal(calls().filter(({ parameters: [, word] }) => word === 'put').length, 3);
    rmSync(path.join(project.folder, 'config'), { recursive: true });
    const { folder: other, calls: made } = await prepared('offline', '!fetch failed');
    const done = await run(['deploy', '--yes'], { cwd: other });
    assert.deepEqual([done.code, made().length], [1, 1]);
    assert.match(done.stderr, /fetch failed\nhint: is it logged in/);
  });

  test('a secret that was put is not lost where the deployment fails, and no other gate\'s is overwritten', async () => {
    const { folder, calls } = await prepared('half', '[]');
    fakeWrangler(folder, { 'secret list': '[]', 'secret put': 'ok', deploy: '!the network is down' });
    assert.equal((await run(['deploy', '--yes'], { cwd: folder })).code, 1);
    const { input } = calls().find(({ parameters }) => parameters[2] === 'ADMIN_TOKEN');
    const kept = () => JSON.parse(readFileSync(path.join(project.folder, 'config/edgegate/profiles.json'), 'utf8'));
    assert.deepEqual(kept(), { half: { token: input } });
    assert.match((await run(['keys', 'list'], { cwd: folder })).stderr, /which gate\?/);
    const all = JSON.stringify(['ADMIN_TOKEN', 'API_KEY_SECRET', 'SESSION_SECRET'].map((name) => ({ name })));
    fakeWrangler(folder, { 'secret list': all, deploy: deployed });
    await run(['deploy', '--yes', '--url', 'http://127.0.0.1:1', '--wait', '0'], { cwd: folder });
    assert.deepEqual(kept(), { half: { url: 'http://127.0.0.1:1/auth', token: input } });
    fakeWrangler(folder, { 'secret list': '[]', 'secret put': 'ok', deploy: deployed });
    const again = await run(['deploy', '--yes', '--url', 'http://127.0.0.1:1', '--wait', '0'], { cwd: folder });
    assert.deepEqual([again.code, kept().half.token], [1, input]);
    assert.match(again.stderr, /there is a profile half already/);
    rmSync(path.join(project.folder, 'config'), { recursive: true });
  });

  test('a secret that others know is not drawn at random', async () => {
    const { folder, file, calls } = await prepared('shared', '[]');
    writeFileSync(file('wrangler.toml'), `${readFileSync(file('wrangler.toml'), 'utf8')}\n[[vars.POLICY.issuers]]\nissuer = "https://i.test/"\naudience = ["a"]\nalgorithms = ["HS256"]\nsecret = "JWT_SECRET"\n`);
    const done = await run(['deploy', '--yes'], { cwd: folder });
    assert.deepEqual([done.code, calls().map(({ parameters }) => parameters[1])], [1, ['list']]);
    assert.match(done.stderr, /JWT_SECRET is missing\nhint: others sign or authenticate with it/);
  });

  test('a policy that still names somebody of a guide is not deployed, and one with names of its own is', async () => {
    for (const { name: provider } of guides()) {
      const { folder } = await written(`example-${provider}`, '--provider', provider);
      mkdirSync(path.join(folder, 'node_modules'));
      fakeWrangler(folder, {});
      for (const more of [[], ['--dry-run']]) {
        const done = await run(['deploy', '--yes', ...more], { cwd: folder });
        assert.deepEqual([done.code, /still has names of a guide/.test(done.stderr), existsSync(path.join(folder, 'calls.json'))], [1, true, false], provider);
      }
    }
    const own = [
      { issuer: 'https://accounts.google.com', audience: ['my-own.apps.googleusercontent.com'], algorithms: ['RS256'], discovery: true, claims: { hd: 'acme.io', email_verified: true } },
      { issuer: 'https://acme.okta.com/oauth2/default', audience: ['api://default'], algorithms: ['RS256'], discovery: true },
      { issuer: 'https://example-corp.eu.auth0.com/', audience: ['example-api'], algorithms: ['RS256'], discovery: true, claims: { token_use: 'access' } },
    ];
    const done = await run(['check', write('own-names.json', { issuers: own, routes: [{ path: '/*' }] }), '--json']);
    assert.deepEqual([done.code, done.json().findings], [0, []]);
    const octo = { issuer: 'https://token.actions.githubusercontent.com', audience: ['mine'], algorithms: ['RS256'], discovery: true, claims: { repository: 'octo-org/octo-repo' } };
    const found = await run(['check', write('octo.json', { issuers: [octo], routes: [{ path: '/*' }] }), '--json']);
    assert.deepEqual([found.code, found.json().findings.map((one) => one.path)], [0, ['issuers[0].claims.repository']]);
  });

  /** What a gate answers after a deployment: its health, and to a new key. */
  async function answering(health, key) {
    const server = http.createServer((request, response) => {
      const [status, body] = request.url.endsWith('/health') ? [200, health] : key;
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ at: request.url, ...body }));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
  }

  test('ends with 1 where the gate is not well or makes no first key, and says what it answers', async () => {
    const good = [201, { id: 'a', name: 'first', key: 'sk_live_x' }];
    const misconfigured = { status: 'misconfigured', bindings: { EDGEGATE_KV: 'missing', EDGEGATE_COUNTERS: 'ok' } };
    for (const [name, health, key, code, said] of [
      ['sick', misconfigured, good, 1, /not well after 0 s: it answers 200 and is misconfigured, EDGEGATE_KV is missing\./],
      ['strange', {}, good, 1, /it answers 200, and not as a gate does/],
      ['keyless', { status: 'ok' }, [200, {}], 1, /no first key: .* not as a gate does/],
      ['well', { status: 'ok' }, good, 0, /it is well/],
    ]) {
      const { folder } = await prepared(`deployed-${name}`, '[]');
      const gate = await answering(health, key);
      const done = await run(['deploy', '--yes', '--wait', '0', '--url', gate.url, '--json'], { cwd: folder });
      gate.close();
      assert.deepEqual([done.code, said.test(done.stderr), done.json().key], [code, true, code === 0 ? 'sk_live_x' : undefined], done.stderr);
    }
    rmSync(path.join(project.folder, 'config'), { recursive: true });
  });

  test('--url with a path says where the gate\'s own endpoints are', async () => {
    const { folder, file } = await prepared('path', '[]');
    writeFileSync(file('wrangler.toml'), readFileSync(file('wrangler.toml'), 'utf8').replace('[vars.POLICY]\n', '[vars.POLICY]\nauth_prefix = "/gate"\n'));
    const deployedAt = async (url) => {
      const done = await run(['deploy', '--yes', '--wait', '0', '--url', url, '--json'], { cwd: folder });
      rmSync(path.join(project.folder, 'config'), { recursive: true });
      return done.json().url;
    };
    assert.equal(await deployedAt('http://127.0.0.1:1'), 'http://127.0.0.1:1/gate');
    assert.equal(await deployedAt('http://127.0.0.1:1/other'), 'http://127.0.0.1:1/other');
  });

  test('the address is that of the Worker itself, in a line of its own', async () => {
    const address = async (name, output) => {
      const { folder } = await prepared(name, '[]');
      fakeWrangler(folder, { 'secret list': '[]', 'secret put': 'ok', deploy: output });
      // The profile has the address before the gate is asked; those hosts are of others, so nothing is asked here.
      const offline = "--import=data:text/javascript,globalThis.fetch=async()=>{throw(new(Error)('offline'))}";
      const done = await run(['deploy', '--yes', '--wait', '0', '--json'], { cwd: folder, env: { NODE_OPTIONS: offline } });
      const file = path.join(project.folder, 'config/edgegate/profiles.json');
      const { url } = JSON.parse(readFileSync(file, 'utf8'))[name];
      rmSync(path.join(project.folder, 'config'), { recursive: true });
      return [url, /wrangler does not say where/.test(done.stderr)];
    };
    const others = 'env.ORIGIN ("https://victim.acme.workers.dev")\n  https://other.acme.workers.dev\n  https://mine.acme.workers.dev.evil.test';
    assert.deepEqual(await address('mine', `${others}\nsee https://mine.acme.workers.dev/docs`), [undefined, true]);
    assert.deepEqual(await address('mine-too', `${others}\n  https://mine-too.acme.workers.dev\n`), ['https://mine-too.acme.workers.dev/auth', false]);
    assert.deepEqual(await address('twice-there', 'https://twice-there.a.workers.dev\nhttps://twice-there.b.workers.dev'), [undefined, true]);
  });

  test('a policy that is refused is not deployed', async () => {
    const { folder, file } = await prepared('refused', '[]');
    writeFileSync(file('wrangler.toml'), readFileSync(file('wrangler.toml'), 'utf8').replace('environment = "live"', 'environment = "LIVE"'));
    const done = await run(['deploy', '--yes'], { cwd: folder });
    assert.deepEqual([done.code, existsSync(path.join(folder, 'calls.json'))], [1, false]);
  });
});

describe('docs', () => {
  test('writes the page for callers, and nothing that is the operator\'s', async () => {
    const { folder, file } = await written('documented', '--upstream', 'https://origin.acme.io');
    write('documented/words.toml', 'introduction = "Written by hand."\n');
    const done = await run(['docs', '--title', 'Acme API', '--base-url', 'https://api.acme.io', '--words', 'words.toml', '--out', 'out', '--json'], { cwd: folder });
    assert.deepEqual([done.code, done.json()], [0, { written: ['out/callers.md', 'out/callers.html'] }], done.stderr);
    for (const name of ['out/callers.md', 'out/callers.html']) {
      const text = readFileSync(file(name), 'utf8');
      for (const wanted of ['Acme API', 'Written by hand.', 'https://api.acme.io', 'X-API-Key']) assert.ok(text.includes(wanted), `${name}: ${wanted}`);
      for (const secret of ['ADMIN_TOKEN', 'API_KEY_SECRET', 'origin.acme.io']) assert.ok(!text.includes(secret), `${name}: ${secret}`);
    }
    const again = await run(['docs', '--out', 'out'], { cwd: folder });
    assert.deepEqual([again.code, /callers\.md is here already\nhint: --force/.test(again.stderr)], [2, true]);
    assert.equal((await run(['docs', '--out', 'out', '--force'], { cwd: folder })).code, 0);
    write('documented/words.toml', 'nowhere = "x"\n');
    assert.match((await run(['docs', '--words', 'words.toml', '--out', 'other'], { cwd: folder })).stderr, /nowhere is not a place for words/);
  });
});

describe('dev', () => {
  test('where wrangler fails, its lines are shown', async () => {
    const { folder } = await written('crashing');
    fakeWrangler(folder, { dev: '!something is wrong with this machine' });
    const done = await run(['dev', '--port', await freePort()], { cwd: folder });
    assert.deepEqual([done.code, /wrangler has ended with 1:\n.*something is wrong/.test(done.stderr)], [1, true], done.stderr);
  });

  test('where the gate is misconfigured, what it and wrangler say is shown', async () => {
    const { folder } = await written('misconfigured');
    fakeWrangler(folder, {});
    writeFileSync(path.join(folder, 'node_modules/wrangler/wrangler.cjs'), `
      console.log('a line of wrangler');
      const port = process.argv[process.argv.indexOf('--port') + 1];
      require('node:http').createServer((request, response) => response.end(JSON.stringify({ status: 'misconfigured', bindings: { EDGEGATE_KV: 'missing' } }))).listen(port, '127.0.0.1');
    `);
    const done = await run(['dev', '--port', await freePort()], { cwd: folder });
    assert.deepEqual([done.code, /the gate is misconfigured: .*EDGEGATE_KV.*\na line of wrangler/.test(done.stderr)], [1, true], done.stderr);
  });

  test('secrets that are missing are written, private keys as a JWK set', async () => {
    const { folder, file } = await written('keys-of-its-own');
    writeFileSync(file('wrangler.toml'), readFileSync(file('wrangler.toml'), 'utf8').replace('secret = "SESSION_SECRET"', 'secret = "SESSION_SECRET"\nkeys = "SESSION_KEYS"\nalgorithm = "EdDSA"'));
    const missing = async () => (await run(['check', '--json'], { cwd: folder })).json().missing;
    assert.deepEqual(await missing(), ['SESSION_KEYS']);
    fakeWrangler(folder, { dev: '!stop' });
    assert.match((await run(['dev', '--port', await freePort()], { cwd: folder })).stderr, /wrote random values for SESSION_KEYS to \.dev\.vars/);
    assert.deepEqual(await missing(), []);
    const { keys: [{ kty, crv, d }] } = JSON.parse(/^SESSION_KEYS='(.*)'$/m.exec(readFileSync(file('.dev.vars'), 'utf8'))[1]);
    assert.deepEqual([kty, crv, typeof d], ['OKP', 'Ed25519', 'string']);
    assert.deepEqual((await run(['check', '--json'], { cwd: folder })).json().findings, []);
  });

  test('--login gives wrangler a policy with a provider, where there is one', async () => {
    const { folder } = await written('with-login');
    fakeWrangler(folder, {});
    writeFileSync(path.join(folder, 'node_modules/wrangler/wrangler.cjs'), 'console.log(`told ${JSON.stringify(process.argv.slice(2))}`); process.exitCode = 1;');
    const dev = async () => run(['dev', '--login', '--port', await freePort()], { cwd: folder });
    const without = await dev();
    assert.deepEqual([without.code, /the provider of --login is not installed here\nhint: npm install --save-dev oidc-provider\n/.test(without.stderr)], [1, true], without.stderr);
    symlinkSync(path.join(ROOT, 'node_modules/oidc-provider'), path.join(folder, 'node_modules/oidc-provider'));
    const { stderr } = await dev();
    const told = JSON.parse(/^told (.*)$/m.exec(stderr)[1]);
    const policy = JSON.parse(told.find((one) => one.startsWith('POLICY:')).slice('POLICY:'.length));
    assert.deepEqual([policy.login.providers[0].id, policy.login.providers[0].scopes, policy.sessions.cookies], ['local', { default: ['read', 'write'] }, true]);
    assert.match(told.at(-1), /^LOCAL_PROVIDER_SECRET:[\w-]{43}$/);
  });

  test('where there is no wrangler, or this Node is too old for it, it says what to do', async () => {
    const { folder } = await written('without');
    assert.match((await run(['dev', '--port', await freePort()], { cwd: folder })).stderr, /wrangler is not installed here\nhint: npm install --save-dev wrangler/);
    fakeWrangler(folder, {});
    const manifest = path.join(folder, 'node_modules/wrangler/package.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('>=20', '>=98.0.0'));
    assert.match((await run(['dev', '--port', await freePort()], { cwd: folder })).stderr, /wrangler 9\.9\.9 wants Node >=98\.0\.0, and this is .*\nhint: .*npm install --save-dev node@98/);
  });
});

describe('use', () => {
  test('0 is done, 2 is used wrongly', async () => {
    for (const [parameters, code] of [[['--help'], 0], [['--version'], 0], [['keys', '--help'], 0], [[], 2], [['keys'], 2], [['keyz'], 2], [['keys', 'mint'], 2],
      [['keys', 'list', '--nope'], 2], [['dev', '--port', '99999'], 2], [['keys', 'list'], 2], [['revoke', '--url', 'https://x.test'], 2], [['revoke', '--sub', 'a', '--url', 'https://x.test'], 2],
      [['keys', 'list', '--url', 'http://gate.test'], 2], [['keys', 'list', '--url', 'https://user:pass@gate.test'], 2], [['check', '/nowhere/wrangler.toml'], 2]]) {
      const done = await run(parameters);
      assert.equal(done.code, code, `${parameters.join(' ')}: ${done.stderr}`);
    }
    assert.match((await run(['keyz'])).stderr, /Did you mean keys/);
    assert.equal((await run(['--version'])).stdout.trim(), project.packed.version);
  });

  test('plain http takes the secret nowhere but to this machine', async () => {
    const done = await run(['keys', 'list', '--url', 'http://gate.test'], { env: { EDGEGATE_ADMIN_TOKEN: 'x'.repeat(32) } });
    assert.match(done.stderr, /expected https/);
  });

  test('a secret that no header can have is not printed', async () => {
    const done = await run(['keys', 'list', '--url', 'http://127.0.0.1:1'], { env: { EDGEGATE_ADMIN_TOKEN: 'half-of-a-secret\nand-the-rest' } });
    assert.deepEqual([done.code, /characters that no header can have/.test(done.stderr), /secret\n|rest/.test(done.stderr)], [2, true, false]);
  });

  test('a file of secrets that others can read is refused', async () => {
    mkdirSync(path.join(project.folder, 'open/edgegate'), { recursive: true });
    const file = path.join(project.folder, 'open/edgegate/profiles.json');
    writeFileSync(file, '{}', { mode: 0o644 });
    const done = await run(['profiles', 'list'], { env: { XDG_CONFIG_HOME: path.join(project.folder, 'open') } });
    assert.deepEqual([done.code, /others can read it/.test(done.stderr)], [1, true]);
  });

  test('every command has a description, and can print JSON', async () => {
    const groups = { '': 'init dev check explain test diff doctor deploy revoke docs', keys: 'mint import list show update rotate revoke', revocations: 'list show undo export', sessions: 'open list end narrow', subjects: 'disable enable forget', accounts: 'create find show set-password scopes disable enable delete', token: 'inspect mint', profiles: 'save list remove' };
    for (const [group, names] of Object.entries(groups)) {
      for (const name of names.split(' ')) {
        const { stdout } = await run([...(group ? [group] : []), name, '--help']);
        assert.match(stdout, /--json/, `${group} ${name}`);
      }
    }
  });

  test('without a terminal and with NO_COLOR there are no colours', async () => {
    const done = await run(['keyz'], { env: { NO_COLOR: '1' } });
    assert.doesNotMatch(done.stderr, /\u001b\[/);
  });
});

describe('completions', () => {
  test('bash offers commands, options and choices', async () => {
    const { stdout: script } = await run(['completions', 'bash']);
    const bin = path.join(project.folder, 'node_modules/.bin');
    const complete = (words) => execFileSync('bash', ['--norc', '-c', `${script}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _edgegate; printf '%s\\n' "\${COMPREPLY[@]}"`], {
      encoding: 'utf8', env: environment(project.folder, { PATH: `${bin}:${process.env.PATH}` }),
    }).trim().split('\n');
    assert.deepEqual(complete(['edgegate', 'keys', 'r']), ['rotate', 'revoke']);
    assert.deepEqual(complete(['edgegate', 'keys', 'mint', '--ex']), ['--expires-in']);
    assert.deepEqual(complete(['edgegate', 'completions', '']), ['bash', 'zsh', 'fish']);
  });

  test('zsh and fish have a script too', async () => {
    for (const shell of ['zsh', 'fish']) assert.match((await run(['completions', shell])).stdout, /__complete/);
    assert.equal((await run(['completions', 'tcsh'])).code, 2);
  });
});
