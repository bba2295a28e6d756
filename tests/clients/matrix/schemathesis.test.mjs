// schemathesis makes up requests from `/auth/openapi.json`, good and bad ones, and holds the answers against it: no 5xx, no status, type or
// body that is not described, nothing accepted that the description forbids.

import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { python } from '../python-environment.mjs';
import { SECRETS, startGate, temporaryFolder } from '../../worker/harness.mjs';
import { SESSIONS, sessionPolicy } from '../../worker/sessions.mjs';

const CHECKS = [
  'not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_headers_conformance',
  'response_schema_conformance', 'negative_data_rejection', 'allow_header_conformance',
];

let gate;
let origin;

before(async () => {
  const policy = sessionPolicy({ revocation: { mode: 'ledger' }, failed_authentication: { requests: 1_000_000, window_secs: 60 } });
  gate = await startGate({ policy });
  origin = `http://127.0.0.1:${gate.ports.get(gate.name)}`;
});
after(() => gate?.dispose());

async function schemathesis(paths, { headers = {}, checks = CHECKS } = {}) {
  const options = [
    'run', `${origin}/auth/openapi.json`, '--include-path-regex', paths, '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing',
    '--max-examples', '50', '--continue-on-failure', '--no-color', '--seed', '1', '--warnings', 'off',
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
  ];
  await promisify(execFile)(python, ['-m', 'schemathesis.cli', ...options], { cwd: temporaryFolder(), timeout: 280_000, maxBuffer: 1 << 26 })
    .catch(({ message, stdout, stderr }) => {
      throw new Error(`${message.slice(0, 200)}\n${stdout.slice(-6000)}${stderr.slice(-2000)}`);
    });
}

const basic = `Basic ${btoa(`${SESSIONS.clients[0].id}:${SECRETS.BATCH_CLIENT_SECRET}`)}`;

test('administration', () => schemathesis('^/admin/', { headers: { Authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` }, checks: [...CHECKS, 'unsupported_method'] }));

test('administration, asked by a stranger', () => schemathesis('^/admin/', { headers: { Authorization: 'Bearer guess' } }));

test('OAuth', () => schemathesis('^/(token|revoke|introspect)$', { headers: { Authorization: basic }, checks: [...CHECKS, 'unsupported_method'] }));

test('sessions, asked with a token and without one', async () => {
  const answer = await gate.post('/auth/token', { headers: { Authorization: basic, 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'grant_type=client_credentials' });
  const paths = '^/(refresh|session|sessions|logout)';
  await schemathesis(paths, { headers: { Authorization: `Bearer ${JSON.parse(answer.body).access_token}` } });
  await schemathesis(paths);
});

test('the rest', () => schemathesis('^/(health|openapi.json|verify|.well-known)'));
