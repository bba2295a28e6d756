// `checkPolicy`: a policy as the Worker would take it, and what it needs there.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'smol-toml';

import { EdgegateError, checkPolicy } from '../../pkg/wasm/node.js';
import { refusalOfPromise } from './support.mjs';

const refusalOf = (promise) => refusalOfPromise(promise, EdgegateError);

const NAMES = ['JWT_SECRET', 'API_KEY_SECRET', 'ADMIN_TOKEN', 'SESSION_SECRET', 'BATCH_CLIENT_SECRET', 'ACCOUNTS_SECRET'];
const SECRETS = Object.fromEntries(NAMES.map((name) => [name, name.toLowerCase().repeat(4)]));
const example = parse(readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8')).vars.POLICY;

describe('what a policy needs', () => {
  test('the example: its secrets and bindings', async () => {
    const report = await checkPolicy(example, { secrets: SECRETS });
    assert.deepEqual(report, {
      source: 'inline',
      secrets: Object.keys(SECRETS).sort(),
      missing: [],
      bindings: [...['kv', 'counters', 'keyRing', 'sessions'].map((kind) => ({ kind })), { kind: 'logins', path: 'accounts' }, { kind: 'watch' }],
    });
  });

  test('secrets that are not given are listed, and do not hide what else is wrong', async () => {
    const { missing } = await checkPolicy(JSON.stringify(example), { secrets: { ADMIN_TOKEN: SECRETS.ADMIN_TOKEN } });
    assert.deepEqual(missing, Object.keys(SECRETS).filter((name) => name !== 'ADMIN_TOKEN').sort());
    assert.deepEqual(await refusalOf(checkPolicy({ ...example, routes: [{ path: 'no-slash' }] })), {
      code: 'CONFIG_ERROR', reason: 'config', message: 'routes[0].path: expected a path that begins with a slash', path: 'routes[0].path',
    });
  });

  test('a secret that is absent is stood in for in every encoding, and for every algorithm', async () => {
    for (const encoding of ['text', 'base64', 'base64url', 'hex']) {
      for (const algorithm of ['HS256', 'HS384', 'HS512']) {
        const { missing } = await checkPolicy({ issuers: [{ issuer: 'https://i.test/', audience: ['a'], algorithms: [algorithm], secret: 'S', encoding }] });
        assert.deepEqual(missing, ['S'], `${encoding} ${algorithm}`);
      }
    }
  });

  test('a secret is found whatever the policy calls the field', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secrets = {
      ...SECRETS, METRICS: 'm'.repeat(32), HOOK: 'h'.repeat(32), HOOK_URL: 'https://hooks.example.com/', CORP: 'a secret of a client',
      APPLE: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    };
    const policy = {
      ...example,
      origin: 'https://api.example.com',
      watch: { metrics_secret: 'METRICS', sinks: [{ name: 'hook', kind: 'webhook', url_secret: 'HOOK_URL', secret: 'HOOK' }] },
      login: {
        providers: [
          { id: 'corp', type: 'oidc', issuer: 'https://login.example.com', client_id: 'gate', client_secret: 'CORP' },
          { id: 'apple', type: 'apple', client_id: 'com.example.web', team_id: 'DEF123GHIJ', key_id: 'ABC123DEFG', private_key: 'APPLE' },
        ],
      },
    };
    const report = await checkPolicy(policy, { secrets });
    assert.deepEqual([report.secrets, report.missing], [Object.keys(secrets).sort(), []]);
  });

  test('what the Worker alone can do is taken', async () => {
    const policy = { https: 'refuse', security_headers: true, upstream: { service: 'API' }, revocation: { mode: 'snapshot' } };
    assert.deepEqual((await checkPolicy(policy)).bindings, [{ kind: 'kv' }, { kind: 'ledger' }, { kind: 'service', name: 'API', path: 'upstream.service' }]);
  });

  test('a queue that is told of alerts has to be bound, and a URL that is not given is missing and no fault', async () => {
    const policy = {
      admin: { secret: 'ADMIN_TOKEN' },
      watch: { sinks: [{ name: 'own', kind: 'queue', binding: 'ALERTS' }, { name: 'chat', kind: 'slack', url_secret: 'CHAT_URL' }, { name: 'errors', kind: 'sentry', url_secret: 'SENTRY_DSN' }] },
    };
    const { bindings, missing } = await checkPolicy(policy, { secrets: { ADMIN_TOKEN: SECRETS.ADMIN_TOKEN } });
    assert.deepEqual(bindings.find(({ kind }) => kind === 'queue'), { kind: 'queue', name: 'ALERTS', path: 'watch.sinks[0].binding' });
    assert.deepEqual(missing, ['CHAT_URL', 'SENTRY_DSN']);
    assert.equal((await refusalOf(checkPolicy(policy, { secrets: { ADMIN_TOKEN: SECRETS.ADMIN_TOKEN, SENTRY_DSN: 'https://sentry.example/1' } }))).path, 'watch.sinks[2].url_secret');
  });

  test('a policy in KV is not known here', async () => {
    assert.deepEqual(await checkPolicy({ source: 'kv', reload_secs: 60 }), { source: 'kv', secrets: [], missing: [], bindings: [{ kind: 'kv' }] });
    assert.equal((await refusalOf(checkPolicy({ source: 'kv', routes: [] }))).path, 'source');
  });

  test('a secret that is given and weak is a fault', async () => {
    assert.deepEqual(await refusalOf(checkPolicy({ admin: { secret: 'ADMIN_TOKEN' } }, { secrets: { ADMIN_TOKEN: 'short' } })), {
      code: 'CONFIG_ERROR', reason: 'config', message: 'admin.secret: secret has 5 bytes, expected at least 32', path: 'admin.secret',
    });
  });
});
