// `edgegate doctor` without a gate: every line passes on the policy of the documents, and fails on one that lacks what it wants.
// And against a server that does all of it wrong.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'smol-toml';

import { KINDS, LINES, STATES } from '../../pkg/cli/doctor/checklist.js';
import { forged, overPlainHttp, transport } from '../../pkg/cli/doctor/live.js';
import { blocksOf } from '../docs/blocks.mjs';
import { closedPort, forEach } from '../worker/harness.mjs';
import { ROOT, installed } from './command-line.mjs';

const PAGE = readFileSync(path.join(ROOT, 'docs/production-checklist.md'), 'utf8');
const fileOfPage = (name) => blocksOf(PAGE).find(({ info }) => info === name).code;
const PRODUCTION = parse(fileOfPage('wrangler.toml'));

const DAY_MILLIS = 86_400_000;
const day = (days) => new Date(Date.now() + days * DAY_MILLIS).toISOString().slice(0, 10);

let project;
let count = 0;
after(() => project?.dispose());

/** A folder with this configuration of wrangler, and the page for callers of the production policy. */
function folderOf(configuration, files = {}) {
  count += 1;
  const name = `case-${count}`;
  mkdirSync(project.path(name));
  // The page has a date of its own, which becomes old.
  const fresh = { ...configuration, compatibility_date: configuration.compatibility_date === PRODUCTION.compatibility_date ? day(-30) : configuration.compatibility_date };
  for (const [file, text] of Object.entries({ 'wrangler.json': JSON.stringify(fresh), ...files })) writeFileSync(project.path(`${name}/${file}`), text, { mode: 0o600 });
  return project.path(name);
}

async function doctor(cwd, ...parameters) {
  const done = await project.cli(['doctor', '--json', ...parameters], { cwd });
  if (done.stdout === '') return { ...done, of: () => assert.fail(done.stderr) };
  const report = done.json();
  const of = (id, kind) => report.findings.filter((one) => one.id === id && (kind === undefined || one.kind === kind));
  return { ...done, report, of, line: (id) => report.lines.find((one) => one.id === id).state };
}

/** The production policy with a change, and its page for callers. */
let callers;
const changed = (change) => {
  const configuration = structuredClone(JSON.parse(JSON.stringify(PRODUCTION)));
  const policy = configuration.vars.POLICY;
  const files = change({ policy, configuration }) ?? {};
  return folderOf(configuration, { 'callers.md': callers, ...files });
};
before(async () => {
  project = await installed();
  const folder = folderOf(PRODUCTION);
  assert.equal((await project.cli(['docs'], { cwd: folder })).code, 0);
  callers = readFileSync(path.join(folder, 'callers.md'), 'utf8');
});

describe('the policy of docs/production-checklist.md', () => {
  const ATTESTED = parse(fileOfPage('doctor.toml')).attested.map(({ id }) => id);
  const attested = (ids, { date = day(-1), until = day(100) } = {}) => ids.map((id) => `[[attested]]\nid = "${id}"\nby = "Ada"\nreason = "tried"\ndate = ${date}\nuntil = "${until}"\n`).join('\n');

  test('passes, warnings too, with what its doctor.toml attests', async () => {
    const { code, report, stderr } = await doctor(changed(() => ({ 'doctor.toml': attested(ATTESTED) })), '--strict');
    assert.deepEqual([code, stderr], [0, '']);
    const inState = (state) => report.lines.filter((one) => one.state === state).map(({ id }) => id);
    assert.deepEqual([inState('FAIL'), inState('WARN'), inState('UNKNOWN'), inState('ATTESTED').sort()], [[], [], [], [...ATTESTED].sort()]);
    // What needs a gate, and what this policy has not.
    assert.deepEqual(inState('SKIP'), ['validation', 'oauth-tokens', 'same-policy', 'first-guess', 'losses', 'version', 'clock']);
    assert.equal(report.version, 1);
  });

  test('without doctor.toml what cannot be proven is unknown, and nothing else', async () => {
    const { code, report } = await doctor(changed(() => {}), '--strict');
    const unknown = report.findings.filter(({ state }) => state === 'UNKNOWN');
    assert.deepEqual([code, unknown.map(({ id }) => id).sort(), [...new Set(unknown.map(({ kind }) => kind))]], [0, [...ATTESTED].sort(), ['none']]);
  });

  test('an attestation answers no failure, is over when it is over, and names a line', async () => {
    const failing = await doctor(changed(({ policy }) => {
      delete policy.https;
      return { 'doctor.toml': attested(['https', 'reset']) };
    }));
    assert.deepEqual([failing.code, failing.line('https'), failing.line('reset')], [1, 'FAIL', 'ATTESTED']);
    const over = await doctor(changed(() => ({ 'doctor.toml': attested(['reset'], { date: day(-100), until: day(-1) }) })), '--strict');
    assert.deepEqual([over.code, over.line('reset'), over.of('reset').map(({ state }) => state)], [2, 'WARN', ['UNKNOWN', 'WARN']]);
    const accepted = await doctor(changed(({ policy }) => {
      policy.client_ip_header = 'X-Real-IP';
      return { 'doctor.toml': attested(['address']) };
    }), '--strict');
    assert.deepEqual([accepted.code, accepted.line('address')], [0, 'ATTESTED']);
    assert.match(accepted.of('address', 'attested')[0].evidence, /^Ada, .*: tried\. Found: X-Real-IP is whatever comes/);
    for (const [text, fault] of [
      [attested(['nothing']), /there is no line nothing/], [attested(['reset']).replace('by = "Ada"', ''), /by: is required/], [attested(['reset'], { until: day(900) }), /at most 400 days/],
      [attested(['reset'], { until: 'soon' }), /until: expected a date/], ['id = "reset"', /is not a known field/], [`${attested(['reset'])}state = "PASS"`, /state: is not a known field/],
    ]) {
      const refused = await doctor(changed(() => ({ 'doctor.toml': text })));
      assert.deepEqual([refused.code, refused.stdout, fault.test(refused.stderr)], [3, '', true], refused.stderr);
    }
  });
});

test('on the example policy, as a newcomer has it, these lines fail and these are warnings', async () => {
  const folder = folderOf({});
  rmSync(path.join(folder, 'wrangler.json'));
  cpSync(path.join(ROOT, 'wrangler.toml'), path.join(folder, 'wrangler.toml'));
  const { code, report } = await doctor(folder);
  const inState = (state) => report.lines.filter((one) => one.state === state && one.id !== 'runtime').map(({ id }) => id);
  assert.equal(code, 1);
  assert.deepEqual(inState('FAIL'), [
    'https', 'attempts', 'headers', 'csp', 'alerts', 'logs-sent',
    'docs-authentication', 'docs-keys', 'docs-tokens', 'docs-errors', 'docs-limits', 'docs-practice', 'names',
  ]);
  assert.deepEqual(inState('WARN'), ['access-tokens', 'csrf', 'logins-logged', 'host', 'other-paths']);
  assert.deepEqual(inState('UNKNOWN'), ['passwords', 'refresh-tokens', 'constant-time', 'reset', 'mfa', 'administration', 'first-guess']);
});

const HMAC = (policy) => {
  policy.issuers[0] = { issuer: 'https://login.acme.example/', audience: ['https://api.acme.example'], algorithms: ['HS256'], secret: 'JWT_SECRET', max_token_age_secs: 900 };
};
const WEAK = 'ab'.repeat(20);

/** `[id, state, what is changed, what is said]`: for each line that files can answer. */
const WORSE = [
  ['secrets', 'FAIL', ({ configuration }) => { configuration.vars.STRIPE_SECRET = 'not-a-shape-0123'; }, /the variable STRIPE_SECRET is a secret/],
  ['secrets', 'FAIL', ({ configuration }) => { configuration.vars.HOOK_SECRET = 'x'; }, /HOOK_SECRET is a secret/],
  ['secrets', 'FAIL', ({ policy }) => { policy.watch.sinks.push({ name: 'chat', kind: 'slack', url: 'https://hooks.slack.com/services/T000/B000/abcdefgh' }); }, /a webhook of Slack stands in wrangler\.json/],
  ['secrets', 'FAIL', ({ configuration }) => { configuration.vars.NOTE = `whsec_${'A'.repeat(32)}`; }, /the variable NOTE is a secret/],
  ['secrets', 'WARN', () => ({ '.dev.vars': `ADMIN_TOKEN=${'k8'.repeat(4)}${'Zq3v'.repeat(8)}\nAPI_KEY_SECRET=${'k8'.repeat(4)}${'Zq3v'.repeat(8)}\n` }), /API_KEY_SECRET in \.dev\.vars is the same as/],
  ['https', 'FAIL', ({ policy }) => { delete policy.https; }, /plain http is as good/],
  ['https', 'WARN', ({ policy }) => { policy.hsts = false; }, /no Strict-Transport-Security/],
  ['https', 'WARN', ({ policy }) => { policy.upstream = 'http://10.0.0.7/'; }, /goes on over plain http/],
  ['passwords', 'WARN', ({ policy }) => { policy.accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], imports: ['$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW'] }; }, /argon2id with 19 MiB, 2 iterations .* imported/],
  ['attempts', 'FAIL', ({ policy }) => { policy.accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], window_secs: 60 }; }, /at each name, .*: up to 75 in 15 minutes/],
  ['passwords', 'SKIP', ({ policy }) => { policy.issuers = []; delete policy.sessions; policy.routes[1].acr_values = undefined; }, /nobody logs in/],
  ['api-keys', 'WARN', ({ policy }) => { policy.api_keys.prefixes.push({ prefix: 'old', format: 'imported' }); }, /SHA-256/],
  ['jwt-secrets', 'FAIL', ({ policy }) => { HMAC(policy); return { '.dev.vars': `JWT_SECRET=${WEAK}\n` }; }, /JWT_SECRET in \.dev\.vars .* can be guessed/],
  ['policy', 'FAIL', ({ policy }) => { HMAC(policy); return { '.dev.vars': 'JWT_SECRET=short\n' }; }, /expected at least 32/],
  ['access-tokens', 'FAIL', ({ policy }) => { policy.issuers[0].require_exp = false; delete policy.issuers[0].max_token_age_secs; }, /need no end/],
  ['access-tokens', 'WARN', ({ policy }) => { policy.sessions.access_secs = 3600; }, /sessions: 1 hour/],
  ['refresh-tokens', 'WARN', ({ policy }) => { policy.sessions.idle_secs = 2_000_000; }, /ends after/],
  ['attempts', 'FAIL', ({ policy }) => { policy.failed_authentication = { requests: 300, window_secs: 60 }; }, /up to 4500 in 15 minutes/],
  ['attempts', 'FAIL', ({ policy }) => { policy.failed_authentication = { requests: 9, window_secs: 1800 }; }, /up to 9 in 15 minutes/],
  ['attempts', 'FAIL', ({ policy }) => { policy.failed_authentication = { enabled: false }; }, /nothing bounds guesses/],
  ['cors', 'FAIL', ({ policy }) => { policy.cors = { origins: ['*'] }; }, /pages of all origins/],
  ['cors', 'FAIL', ({ policy }) => { policy.routes[0].cors = { origins: ['*'] }; }, /pages of all origins/],
  ['cors', 'WARN', ({ policy }) => { policy.routes[2].cors = { origins: ['*'] }; }, /of an open route/],
  ['cors', 'WARN', ({ policy }) => { policy.preflight = 'pass'; }, /the service behind says/],
  ['headers', 'FAIL', ({ policy }) => { delete policy.security_headers; }, /nothing is added/],
  ['headers', 'WARN', ({ policy }) => { policy.security_headers = { x_frame_options: false }; }, /left out: x_frame_options/],
  ['cookies', 'UNKNOWN', ({ policy }) => { policy.cookie = 'legacy'; }, /whoever sets the cookie legacy/],
  ['csrf', 'FAIL', ({ policy }) => { policy.cookie = 'legacy'; policy.csrf = 'off'; }, /requests of all pages count/],
  ['csrf', 'WARN', ({ policy }) => { delete policy.origin; }, /without origin/],
  ['csp', 'FAIL', ({ policy }) => { delete policy.security_headers; }, /the policy that it sets/],
  ['csp', 'FAIL', ({ policy }) => { policy.security_headers = { content_security_policy: false }; }, /is off/],
  ['csp', 'FAIL', ({ policy }) => { policy.security_headers = { content_security_policy: "default-src 'self'; script-src 'self' 'unsafe-inline'" }; }, /'unsafe-inline'/],
  ['failures-logged', 'FAIL', ({ policy }) => { policy.log = 'none'; delete policy.watch; }, /nothing is written, and nothing counted/],
  ['failures-logged', 'WARN', ({ configuration }) => { delete configuration.observability; delete configuration.tail_consumers; }, /kept nowhere/],
  ['logins-logged', 'FAIL', ({ policy }) => { policy.log = 'refusals'; delete policy.watch; }, /nothing says who was let in/],
  ['logins-logged', 'WARN', ({ policy }) => { policy.log = 'refusals'; }, /no line is written/],
  ['expiry', 'FAIL', ({ policy }) => { policy.watch.rules = [{ name: 'expiry-ratio', off: true }]; }, /is off/],
  ['alerts', 'FAIL', ({ policy }) => { delete policy.watch.sinks; }, /nobody is told/],
  ['alerts', 'FAIL', ({ policy }) => { delete policy.watch; }, /nothing looks/],
  ['alerts', 'WARN', ({ policy }) => { policy.watch.rules = [{ name: 'unusual-country', off: true }]; }, /off: unusual-country/],
  ['logs-sent', 'FAIL', ({ configuration }) => { delete configuration.tail_consumers; }, /go nowhere/],
  ['logs-sent', 'WARN', ({ configuration, policy }) => { delete configuration.tail_consumers; policy.watch.sinks[0] = { name: 'dd', kind: 'datadog', url: 'https://dd.example/v1', secret: 'HOOK_SECRET' }; }, /alerts go to dd/],
  ['dashboard', 'FAIL', ({ policy }) => { delete policy.watch; }, /nothing counts/],
  ['refresh', 'UNKNOWN', ({ policy }) => { delete policy.sessions; }, /the issuers of tokens/],
  ['logout', 'FAIL', ({ policy }) => { delete policy.revocation; delete policy.sessions; }, /nothing can be taken back/],
  ['logout', 'WARN', ({ policy }) => { policy.revocation.on_error = 'allow'; }, /what was revoked counts/],
  ['mfa', 'UNKNOWN', ({ policy }) => { delete policy.routes[1].acr_values; }, /no rule asks/],
  ['remember', 'SKIP', ({ policy }) => { delete policy.sessions; }, /optional/],
  ['docs-authentication', 'FAIL', ({ policy }) => { policy.api_keys.header = 'X-Key'; }, /older than the policy/],
  ['docs-keys', 'FAIL', ({ policy }) => { policy.api_keys.environment = 'staging'; }, /older than the policy/],
  ['docs-tokens', 'FAIL', ({ policy }) => { policy.issuers[0].audience = ['https://other.acme.example']; }, /older than the policy/],
  ['docs-errors', 'FAIL', ({ policy }) => { delete policy.sessions; delete policy.routes[1].acr_values; return { 'callers.md': callers.replace(/^\| `TOKEN_EXPIRED`.*\n/m, '') }; }, /section Errors, is older/],
  ['docs-limits', 'FAIL', ({ policy }) => { policy.limits[0].requests = 5; }, /1 of 1|1 of \d+ lines differ/],
  ['docs-practice', 'FAIL', () => ({ 'callers.md': callers.replace('## Good practice', '## Nothing') }), /has no section Good practice/],
  ['policy', 'FAIL', ({ configuration }) => { configuration.kv_namespaces = []; }, /needs this KV namespace/],
  ['policy', 'FAIL', ({ policy }) => { policy.routes.unshift({ path: '/*' }); }, /is never reached/],
  ['names', 'FAIL', ({ policy }) => { policy.issuers[0].audience = ['https://api.example.com']; }, /still the example of a guide/],
  ['host', 'FAIL', ({ configuration }) => { delete configuration.workers_dev; }, /answers elsewhere too.*: workers_dev$/],
  ['host', 'WARN', ({ configuration }) => { delete configuration.routes; }, /no host of its own/],
  ['around', 'WARN', ({ policy }) => { policy.upstream = 'https://origin.acme.example/'; }, /cannot tell who asks/],
  ['other-paths', 'WARN', ({ policy }) => { policy.routes.pop(); }, /take any good credential/],
  ['open-routes', 'WARN', ({ policy }) => { policy.routes.unshift({ path: '/hooks', auth: 'none' }); }, /takes every method from everybody/],
  ['fail-closed', 'WARN', ({ policy }) => { policy.limits[0].on_error = 'allow'; }, /lets everybody pass/],
  ['first-guess', 'UNKNOWN', ({ policy }) => { policy.accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] }; }, /made beforehand is stored nowhere/],
  ['address', 'WARN', ({ policy }) => { policy.client_ip_header = 'X-Real-IP'; }, /whatever comes/],
  ['runtime', 'WARN', ({ configuration }) => { configuration.compatibility_date = '2024-01-01'; }, /days ago/],
  ['sampling', 'WARN', ({ configuration }) => { configuration.observability.head_sampling_rate = 0.1; }, /only 10 %/],
];

/** What no policy can make worse: it holds by construction, or nothing here can prove it. */
const BY_CONSTRUCTION = ['constant-time', 'errors', 'oauth-tokens', 'reset', 'administration'];
/** Below, by a server. */
const ONLINE = ['validation', 'same-policy', 'losses', 'version', 'clock'];

describe('each line', () => {
  test('has a policy that it does not pass on', async () => {
    assert.deepEqual(LINES.map(({ id }) => id).filter((id) => !WORSE.some(([one]) => one === id)).sort(), [...BY_CONSTRUCTION, ...ONLINE].sort());
    await forEach(WORSE, async ([id, state, change, said]) => {
      const { of, line, stdout } = await doctor(changed(change));
      const found = of(id).map(({ evidence }) => evidence).join('\n');
      assert.deepEqual([line(id), said.test(found)], [state, true], `${id}: ${line(id)}: ${found}\nexpected ${state}: ${said}`);
      assert.ok(!stdout.includes('abab') && !stdout.includes('Zq3v') && !stdout.includes('T000/B000'), `${id}: a secret is printed`);
    }, 3);
  });

  test('takes no variable for a secret that is none', async () => {
    const { line } = await doctor(changed(({ configuration }) => void Object.assign(configuration.vars, { TOKEN_URL: 'https://login.acme.example/token', API_KEY_HEADER: 'X-API-Key', LOGIN_TOKEN: 'https://a.example/', REGION: 'eu-central-1', KEY: '' })));
    assert.equal(line('secrets'), 'PASS');
  });

  test('stands in docs/production-checklist.md, in the same words', () => {
    const rows = [...PAGE.slice(PAGE.indexOf('## The lines')).matchAll(/^(?:### (.+)|\| `([\w-]+)` \| (.+?) \| .+ \|)$/gm)];
    let section;
    const lines = rows.flatMap(([, heading, id, line]) => {
      section = heading ?? section;
      return id === undefined ? [] : [{ id, section, line }];
    });
    assert.deepEqual(lines, LINES.map(({ id, section: of, line }) => ({ id, section: of, line })));
    assert.equal(LINES.filter(({ isOfGuide }) => isOfGuide).length, 34);
    for (const name of [...STATES, ...Object.keys(KINDS)]) assert.ok(PAGE.includes(`| \`${name}\` |`), name);
  });
});

test('what git has is found, and what it had', async () => {
  const folder = changed(() => ({ '.dev.vars': 'ADMIN_TOKEN=\n', '.dev.vars.example': 'ADMIN_TOKEN=\n' }));
  const git = (...parameters) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...parameters], { cwd: folder, stdio: 'ignore' });
  git('init', '-q');
  git('add', '.dev.vars.example');
  git('commit', '-qm', 'a');
  assert.equal((await doctor(folder)).line('secrets'), 'PASS');
  git('add', '-f', '.dev.vars');
  assert.match((await doctor(folder)).of('secrets')[0].evidence, /^git has \.dev\.vars$/);
  git('commit', '-qm', 'b');
  git('rm', '-q', '--cached', '.dev.vars');
  git('commit', '-qm', 'c');
  assert.match((await doctor(folder)).of('secrets')[0].evidence, /^git had \.dev\.vars or \.env once/);
  chmodSync(path.join(folder, '.dev.vars'), 0o644);
  assert.match((await doctor(folder)).of('secrets').at(-1).evidence, /others on this machine can read \.dev\.vars/);
});

describe('use', () => {
  test('3: it could not run', async () => {
    const folder = changed(({ configuration }) => { configuration.vars.POLICY = { source: 'kv' }; });
    const empty = folderOf({});
    rmSync(path.join(empty, 'wrangler.json'));
    for (const [cwd, parameters, said] of [
      [folder, [], /the policy is in KV/], [empty, [], /no wrangler\.toml/], [empty, ['--policy', 'nowhere.toml'], /there is no such file/], [folder, ['--nope'], /unknown option/],
      [changed(() => {}), ['--sarif'], /cannot both be meant/], [changed(() => {}), ['--format', 'ocsf'], /json cannot both be meant/], [changed(() => {}), ['--format', 'xml'], /Allowed choices/], [changed(() => {}), ['--probe'], /needs a gate/], [changed(() => {}), ['--receiver', '9'], /needs --probe/],
      [changed(() => {}), ['--url', 'http://gate.test'], /expected https/],
    ]) {
      const done = await doctor(cwd, ...parameters);
      assert.deepEqual([done.code, done.stdout, said.test(done.stderr)], [3, '', true], `${parameters}: ${done.code} ${done.stderr}`);
    }
  });

  test('the text names each line, how it is known, and what to do', async () => {
    const done = await project.cli(['doctor'], { cwd: changed(({ policy }) => { delete policy.https; }) });
    assert.match(done.stdout, /^ {2}FAIL {6}HTTPS enforced \(HTTP redirects to HTTPS\) \[https\]\n {6}static: https: plain http is as good as https\n {8}fix: https = "redirect"$/m);
    assert.match(done.stderr, /^the guide's 34 lines: 1 failed, /);
    assert.doesNotMatch(done.stdout + done.stderr, /\u001b\[/);
  });

  test('SARIF: rules are the lines, what has failed has a level', async () => {
    const done = await project.cli(['doctor', '--sarif'], { cwd: changed(({ policy }) => { delete policy.https; }) });
    const { version, runs: [{ tool: { driver }, results }] } = done.json();
    assert.deepEqual([done.code, version, driver.rules.map(({ id }) => id)], [1, '2.1.0', LINES.map(({ id }) => id)]);
    for (const { ruleId, ruleIndex, kind, level, locations } of results) {
      assert.equal(driver.rules[ruleIndex].id, ruleId);
      assert.equal(kind === 'fail', level !== 'none');
      assert.equal(locations[0].physicalLocation.artifactLocation.uri, 'wrangler.json');
    }
    assert.deepEqual(results.filter(({ level }) => level === 'error').map(({ ruleId }) => ruleId), ['https']);
  });
});

describe('other forms', () => {
  const folder = () => changed(({ policy }) => { delete policy.https; });

  test('junit: what has failed is a failure', async () => {
    const done = await project.cli(['doctor', '--format', 'junit'], { cwd: folder() });
    assert.deepEqual([done.code, done.stderr], [1, '']);
    assert.match(done.stdout, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="edgegate doctor" tests="\d+" failures="1" /);
    assert.match(done.stdout, /classname="[^"]+\.https" time="0">\n {6}<failure message="plain http is as good as https"/);
  });

  test('ocsf: a finding each', async () => {
    const done = await project.cli(['doctor', '--format', 'ocsf'], { cwd: folder() });
    const failed = done.json().filter(({ compliance }) => compliance.status_id === 3);
    assert.deepEqual([done.code, failed.map(({ class_uid: uid, compliance: { control } }) => [uid, control])], [1, [[2003, 'https']]]);
  });
});

// ---- a server that does it all wrong ----

const TOKEN = 'the-secret-of-an-administrator-0123456789';
const SESSION_TOKEN = 'an-access-token-of-a-session';
const KEY = `sk_live_${'a1B2'.repeat(14)}xy`;

/** What was asked with the administrator's secret. */
const givenTo = new Set();

/** Answers as no gate should. */
function wrongGate() {
  const server = http.createServer((request, response) => {
    const { origin } = request.headers;
    const target = request.url.split('?')[0];
    if (request.headers.authorization?.includes(TOKEN)) givenTo.add(target);
    const send = (status, body, headers = {}) => response.writeHead(status, {
      'Content-Type': 'application/json', Date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'Set-Cookie': 'session=1; Path=/', ...(origin && { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' }), ...headers,
    }).end(JSON.stringify(body));
    if (target === '/auth/health') return request.method === 'GET' ? send(200, { status: 'degraded', version: '0.0.1', bindings: { kv: 'failing', counters: 'ok' } }) : send(500, {});
    if (target === '/auth/admin/keys') return send(200, { keys: [{ id: 'a', name: 'b', key: KEY }] });
    if (target === '/auth/admin/sessions') return send(200, request.method === 'DELETE' ? { ended: 1 } : { access_token: SESSION_TOKEN, refresh_token: 'r', ticket: 't' });
    if (target === '/open' && request.headers.authorization?.endsWith(SESSION_TOKEN)) return send(200, {});
    if (target === '/auth/admin/watch') return send(200, { decisions: { admitted: 1, refused: 2 }, codes: {}, alerts: [{ rule: 'unusual-country', state: 'firing' }], dropped: 3, lost: 4 });
    if (target === '/auth/admin/dashboard') return send(200, {}, { 'Content-Type': 'text/html' });
    return send(request.headers.authorization ? 401 : 200, { error: 'no', code: 'INVALID_TOKEN', hint: 'x', stack: `Error at handler.js:1:2 ${request.headers.authorization?.slice(-5)}` });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe('a server that does it all wrong', () => {
  let wrong;
  before(async () => {
    wrong = await wrongGate();
  });
  after(() => wrong?.close());

  test('passes on no line that is asked', async () => {
    const done = await project.cli(['doctor', '--json', '--url', `http://127.0.0.1:${wrong.address().port}`], { cwd: changed(() => {}), env: { EDGEGATE_ADMIN_TOKEN: TOKEN } });
    const { findings } = done.json();
    const states = Object.fromEntries(findings.filter(({ kind }) => ['live', 'report'].includes(kind)).map(({ id, kind, state }) => [`${kind} ${id}`, state]));
    assert.deepEqual(states, {
      'report policy': 'WARN', 'report version': 'WARN', 'report same-policy': 'SKIP', 'report api-keys': 'FAIL', 'report expiry': 'FAIL', 'report alerts': 'WARN', 'report dashboard': 'PASS', 'report losses': 'WARN',
      'live https': 'SKIP', 'live cors': 'FAIL', 'live headers': 'FAIL', 'live validation': 'FAIL', 'live csrf': 'SKIP', 'live csp': 'FAIL', 'live errors': 'FAIL', 'live dashboard': 'FAIL',
      'live administration': 'FAIL', 'live around': 'SKIP', 'live clock': 'WARN', 'live cookies': 'FAIL',
    });
    assert.equal(done.code, 1);
    assert.ok(!(done.stdout + done.stderr).includes(TOKEN) && !done.stdout.includes(KEY));
    assert.deepEqual([...givenTo].sort(), ['/auth/admin/keys', '/auth/admin/watch']);
  });

  test('does not pass where something is made, used and ended', async () => {
    // Without API keys: theirs may count for a minute longer, as KV has it.
    const cwd = changed(({ policy }) => {
      delete policy.api_keys;
      policy.routes[0].path = '/open';
      policy.limits[0].requests = 5;
      policy.watch.rules = [{ name: 'failures', above: 3 }];
    });
    const done = await project.cli(['doctor', '--json', '--probe', '--wait', '1s', '--url', `http://127.0.0.1:${wrong.address().port}`], { cwd, env: { EDGEGATE_ADMIN_TOKEN: TOKEN } });
    const found = done.json().findings.filter(({ kind }) => kind === 'probe').map(({ id, state, evidence }) => `${id} ${state} ${evidence}`);
    const expected = [
      /^attempts FAIL \d wrong credentials from here, and none was refused with 429/, /^attempts PASS beside/, /^cookies FAIL not as they should be: session/,
      /^failures-logged FAIL a forged credential was not counted in the watch within 15 s/, /^alerts FAIL \d forged credentials, and the rule failures does not fire within 1 s/,
      /^refresh FAIL a refresh token gave no new ones/, /^logout SKIP/, /^logout FAIL the token of a session that has ended is still admitted here after 5 s/,
      /^docs-limits FAIL more than 10 requests, and the limit per-caller has refused none/,
    ];
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [at, pattern] of expected.entries()) assert.match(found[at], pattern);
    assert.ok(!done.stdout.includes(SESSION_TOKEN));
  });

  // Without a certificate there is no https here.
  test('plain http has to lead to https, or nowhere; https has to be remembered for a year', () => {
    const answer = (status, headers = {}, text = '') => ({ status, headers: new Headers(headers), text });
    const plain = (...given) => overPlainHttp(answer(...given)).state;
    assert.deepEqual([plain(308, { location: 'https://api.acme.example/' }), plain(403, {}, '{"code":"HTTPS_REQUIRED"}'), overPlainHttp({ failed: 'ECONNREFUSED' }).state], ['PASS', 'PASS', 'PASS']);
    assert.deepEqual([plain(200), plain(401, {}, '{"code":"MISSING_CREDENTIALS"}'), plain(308, { location: 'http://api.acme.example/' }), plain(302, { location: 'https://api.acme.example/' })], ['FAIL', 'FAIL', 'FAIL', 'FAIL']);
    const remembered = (value) => transport(new Headers(value === undefined ? {} : { 'strict-transport-security': value })).state;
    assert.deepEqual([remembered('max-age=31536000; includeSubDomains'), remembered('max-age=60'), remembered()], ['PASS', 'WARN', 'FAIL']);
  });

  test('a forged credential is of a kind that the policy takes, and another one each time', () => {
    const own = { api_keys: { header: 'X-Key', prefixes: [{ prefix: 'sk' }], environment: 'live' } };
    assert.match(forged({ issuers: [], own })['X-Key'], /^sk_live_[0-9a-f]{58}$/);
    const token = forged({ issuers: [{ issuer: 'https://login.acme.example/' }], own }).Authorization;
    assert.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).iss, 'https://login.acme.example/');
    assert.notEqual(token, forged({ issuers: [{ issuer: 'https://login.acme.example/' }], own }).Authorization);
    assert.match(forged(undefined).Authorization, /^Bearer /);
  });

  test('where no gate answers, that is the failure, and nothing else was asked', async () => {
    const done = await project.cli(['doctor', '--json', '--url', `http://127.0.0.1:${await closedPort()}`], { cwd: changed(() => {}), env: { EDGEGATE_ADMIN_TOKEN: TOKEN } });
    const online = done.json().findings.filter(({ kind }) => ['live', 'report'].includes(kind));
    assert.deepEqual([done.code, online.filter(({ state }) => state !== 'SKIP').map(({ id, state }) => `${id} ${state}`)], [1, ['policy FAIL', 'version UNKNOWN']]);
  });
});
