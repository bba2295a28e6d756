// `edgegate doctor` against a real gate: what requests show, what it says of itself, and what only making and ending something shows.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { AUDIENCE, SECRETS, closedPort, policy, startGate } from '../worker/harness.mjs';
import { installed } from './command-line.mjs';

const HOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const secrets = { ...SECRETS, HOOK_SECRET };

let project;
let gate;
let proxy;
let given;
let receiver;
/** Of the machine that a command runs on: each is another one. */
let address = 0;

/** Passes requests on as Cloudflare does: with the host of the gate, and the caller's address. */
const platform = (port) => new Promise((resolve) => {
  const server = http.createServer((request, response) => {
    const headers = { ...request.headers, host: 'api.example.com', 'cf-connecting-ip': `203.0.113.${address}` };
    const onward = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  }).listen(0, '127.0.0.1', () => resolve(server));
});

before(async () => {
  project = await installed();
  receiver = await closedPort();
  given = policy({
    origin: 'https://api.example.com', security_headers: true, log: 'all',
    sessions: { issuer: 'https://gate.test/', audience: [AUDIENCE], secret: 'SESSION_SECRET', cookies: true },
    revocation: { mode: 'ledger' },
    watch: {
      rules: [{ name: 'failures', above: 8, window_secs: 60, resolve_secs: 0 }],
      sinks: [{ name: 'ops', kind: 'webhook', url: `http://127.0.0.1:${receiver}/hook`, secret: 'HOOK_SECRET' }],
    },
  });
  gate = await startGate({ policy: given, secrets });
  proxy = await platform(gate.port());
  writeFileSync(project.path('gate.json'), JSON.stringify(given));
  writeFileSync(project.path('hook-secret'), HOOK_SECRET, { mode: 0o600 });
});
after(async () => {
  proxy?.close();
  project?.dispose();
  await gate?.dispose();
});

const url = () => `http://127.0.0.1:${proxy.address().port}`;

async function doctor(parameters, env = { EDGEGATE_ADMIN_TOKEN: SECRETS.ADMIN_TOKEN }) {
  address += 1;
  const done = await project.cli(['doctor', '--json', '--policy', 'gate.json', '--url', url(), ...parameters], { env });
  for (const secret of Object.values(secrets)) assert.ok(!(done.stdout + done.stderr).includes(secret), 'a secret is printed');
  assert.ok(done.stdout !== '', done.stderr);
  const report = done.json();
  const of = (id, kind) => report.findings.filter((one) => one.id === id && one.kind === kind);
  return { ...done, report, of, states: (id, kind) => of(id, kind).map(({ state }) => state) };
}

test('requests that change nothing: what a good gate is asked, it passes', async () => {
  const { states, of, report } = await doctor([]);
  for (const id of ['cors', 'headers', 'validation', 'csp', 'errors', 'clock']) assert.deepEqual(states(id, 'live'), ['PASS'], JSON.stringify(of(id, 'live')));
  assert.deepEqual(states('https', 'live'), ['SKIP']);
  // From here everybody can try the administrator's secret.
  assert.deepEqual(states('administration', 'live'), ['WARN']);
  for (const id of ['policy', 'same-policy', 'version', 'api-keys', 'expiry', 'dashboard', 'losses']) assert.deepEqual(states(id, 'report'), ['PASS'], JSON.stringify(of(id, 'report')));
  assert.deepEqual(report.findings.filter(({ kind }) => kind === 'probe'), []);
  assert.match(of('errors', 'live')[0].evidence, /two forged credentials get the same 401 INVALID_TOKEN/);
});

test('a gate with another policy is told from this one', async () => {
  const [, ...rest] = given.routes;
  writeFileSync(project.path('other.json'), JSON.stringify({ ...given, routes: [{ path: '/public/*', methods: ['GET'] }, ...rest] }));
  const { of } = await doctor(['--policy', 'other.json']);
  assert.deepEqual(of('same-policy', 'report').map(({ state, evidence }) => [state, /GET \/public\/doctor: routes\[0\] admitted, and here routes\[0\] MISSING_CREDENTIALS/.test(evidence)]), [['FAIL', true]]);
});

test('without the secret the gate is asked what all may ask', async () => {
  const { states } = await doctor([], {});
  assert.deepEqual([states('expiry', 'report'), states('errors', 'live')], [['SKIP'], ['PASS']]);
});

test('--probe: what is revoked is refused, what is wrong is counted and bounded, an alert fires and its webhook arrives', async (t) => {
  const { states, of, report, stderr } = await doctor(['--probe', '--receiver', String(receiver), '--receiver-secret', 'hook-secret', '--wait', '100s']);
  assert.equal(stderr, '');
  assert.deepEqual(states('logout', 'probe'), ['PASS', 'PASS'], JSON.stringify(of('logout', 'probe')));
  assert.match(of('logout', 'probe')[0].evidence, /refused here after \d+(\.\d)? s/);
  for (const id of ['refresh', 'cookies', 'docs-limits', 'failures-logged', 'attempts']) assert.deepEqual([...new Set(states(id, 'probe'))], ['PASS'], JSON.stringify(of(id, 'probe')));
  assert.match(of('docs-limits', 'probe')[0].evidence, /^the limit limited refuses after 5 requests/);
  const [bounded, beside] = of('attempts', 'probe').map(({ evidence }) => evidence);
  // Five with the two of the checks before.
  assert.match(bounded, /^after 3 wrong credentials the next is not looked at: 429, Retry-After \d+\./);
  assert.equal(beside, 'beside them a genuine token is admitted');
  assert.match(of('failures-logged', 'probe')[0].evidence, /^a forged credential \(INVALID_TOKEN\) was counted in the watch after [\d.]+ s;/);
  const [fired, told, over, toldOver] = of('alerts', 'probe');
  assert.match(fired.evidence, /forged credentials, and the rule failures fires [\d.]+ s after the first/);
  assert.match(told.evidence, /the webhook alert\.firing has arrived after [\d.]+ s, with a good signature/);
  // The rule looks at a minute.
  assert.match(over.evidence, /^it is over [\d.]+ s after the first$/);
  assert.match(toldOver.evidence, /the webhook alert\.resolved has arrived after [\d.]+ s, with a good signature/);
  for (const { id, evidence } of report.findings.filter(({ kind }) => kind === 'probe')) t.diagnostic(`${id}: ${evidence}`);
  // Nothing is left of it but what has ended.
  const { keys } = (await gate.admin('GET', '/keys?owner=edgegate-doctor')).json();
  assert.ok(keys.every(({ revoked_at: revoked }) => revoked !== undefined), JSON.stringify(keys));
});
