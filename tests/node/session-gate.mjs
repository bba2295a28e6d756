// A gate with sessions over memory. The test has its clock, stores and secrets.

import { generateKeyPairSync, randomBytes } from 'node:crypto';

import { memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, gateOf, policy } from './gate.mjs';

const pair = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
const PRIVATE = {
  ES256: () => pair('ec', { namedCurve: 'P-256' }),
  EdDSA: () => pair('ed25519'),
  RS256: () => pair('rsa', { modulusLength: 2048 }),
  HS256: () => ({ kty: 'oct', k: randomBytes(32).toString('base64url'), kid: 'secret-1' }),
};
/** One key of each kind for all tests, since RSA keys take long to make. */
const KEYS = {};
const keyFor = (algorithm) => (KEYS[algorithm] ??= PRIVATE[algorithm]());

export const sessionPolicy = ({ algorithm = 'ES256', sessions = {}, ...rest } = {}) => policy({
  origin: 'https://api.example.com',
  sessions: {
    issuer: 'https://gate.edgegate.local/',
    audience: ['https://api.example.com'],
    secret: 'SESSION_SECRET',
    algorithm,
    keys: 'SESSION_KEYS',
    cookies: true,
    clients: [{ id: 'batch', secret: 'BATCH_CLIENT_SECRET', grants: ['client_credentials'], scopes: ['read:posts'] }],
    ...sessions,
  },
  ...rest,
});

export const sessionSecrets = (algorithm = 'ES256') => ({
  ...SECRETS,
  SESSION_SECRET: 'session-secret-for-tests-0123456789abcdef',
  BATCH_CLIENT_SECRET: 'batch-client-secret-for-tests-0123456789',
  SESSION_KEYS: JSON.stringify({ keys: [keyFor(algorithm)] }),
});

export function sessionGate({ algorithm = 'ES256', secrets = sessionSecrets(algorithm), stores = {}, policy: given, ...rest } = {}) {
  const made = gateOf({ policy: given ?? sessionPolicy({ algorithm }), secrets, stores: { sessions: memoryStore(), ...stores }, ...rest });
  return { ...made, secrets };
}

/** Returns the cookies that an answer sets, by name; '' for one that it removes. */
export const jarOf = (response) => Object.fromEntries(response.headers.getSetCookie().map((line) => {
  const [pair] = line.split(';', 1);
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}));

export const cookiesOf = (jar) => Object.entries(jar).map(([name, value]) => `${name}=${value}`).join('; ');

/** The secrets where the gate manages its keys itself. */
export function managedSecrets() {
  const { SESSION_KEYS, ...rest } = sessionSecrets();
  return rest;
}

/** A gate that manages its keys itself. */
export const managed = ({ algorithm = 'ES256', ...rest } = {}) =>
  sessionGate({ policy: sessionPolicy({ algorithm, sessions: { keys: undefined } }), secrets: managedSecrets(), ...rest });
