// Runs the built Worker in workerd and speaks plain HTTP to it.
//
// Requests go to workerd's own socket, not through Miniflare's entry worker: that one parses and writes
// the URL anew, and would hide what the gate does with `/a/%2e%2e/b` or `/a\b`.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Log, LogLevel, Miniflare } from '../miniflare.mjs';
import { mintKey } from './api-key.mjs';
import { nowSecs, signHmac } from './token.mjs';
import { wrapBindings } from './wrapped-bindings.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BUILD = process.env.EDGEGATE_BUILD ?? path.join(ROOT, 'build');

export const ISSUER = 'https://edgegate.local/';
export const AUDIENCE = 'https://api.example.com';

/** New secrets for each process: nothing in the tests may depend on their value. */
export const SECRETS = Object.freeze({
  JWT_SECRET: randomBytes(32).toString('hex'),
  API_KEY_SECRET: randomBytes(32).toString('hex'),
  ADMIN_TOKEN: randomBytes(32).toString('hex'),
  SESSION_SECRET: randomBytes(32).toString('hex'),
  BATCH_CLIENT_SECRET: randomBytes(32).toString('hex'),
  ACCOUNTS_SECRET: randomBytes(32).toString('hex'),
});

/** The contract: status and title of every code. */
export const CODES = Object.freeze({
  MISSING_CREDENTIALS: [401, 'Authentication required'],
  LOGIN_REQUIRED: [401, 'Login required'],
  INVALID_TOKEN: [401, 'Invalid token'],
  TOKEN_EXPIRED: [401, 'Token expired'],
  TOKEN_NOT_YET_VALID: [401, 'Token not yet valid'],
  TOKEN_REVOKED: [401, 'Token revoked'],
  STEP_UP_REQUIRED: [401, 'More recent sign-in required'],
  INVALID_API_KEY: [401, 'Invalid API key'],
  API_KEY_EXPIRED: [401, 'API key expired'],
  API_KEY_REVOKED: [401, 'API key revoked'],
  INVALID_REFRESH_TOKEN: [401, 'Invalid refresh token'],
  WRONG_ENVIRONMENT: [401, 'API key belongs to another environment'],
  INSUFFICIENT_SCOPE: [403, 'Insufficient permissions'],
  NOT_ALLOWED: [403, 'Not allowed'],
  CONNECT_REQUIRED: [403, 'Account not connected'],
  CSRF_REFUSED: [403, 'Request from another site refused'],
  HTTPS_REQUIRED: [403, 'HTTPS required'],
  RATE_LIMITED: [429, 'Too many requests'],
  INVALID_CREDENTIALS: [401, 'Invalid credentials'],
  MFA_REQUIRED: [401, 'Second factor required'],
  MFA_SETUP_REQUIRED: [401, 'Second factor to be set up'],
  TOO_MANY_ATTEMPTS: [429, 'Too many attempts'],
  INVALID_REQUEST: [400, 'Invalid request'],
  MULTIPLE_CREDENTIALS: [400, 'More than one credential'],
  NOT_FOUND: [404, 'Not found'],
  METHOD_NOT_ALLOWED: [405, 'Method not allowed'],
  STORE_UNAVAILABLE: [503, 'Temporarily unavailable'],
  KEYS_UNAVAILABLE: [503, 'Keys of the issuer unavailable'],
  UPSTREAM_ERROR: [502, 'Upstream did not answer'],
  UPSTREAM_TIMEOUT: [504, 'Upstream did not answer in time'],
  CONFIG_ERROR: [500, 'Gate is not configured'],
});

/** The example policy of the documentation. `changes` replace its sections; `undefined` removes one. */
export const policy = (changes = {}) => withoutUndefined({
  issuers: [
    { issuer: ISSUER, audience: [AUDIENCE], algorithms: ['HS256'], secret: 'JWT_SECRET' },
  ],
  api_keys: {
    prefixes: [{ prefix: 'sk' }, { prefix: 'pk', scopes: ['read:posts'] }],
    environment: 'test',
    signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }],
  },
  revocation: { mode: 'entries' },
  limits: [
    {
      name: 'limited',
      by: 'caller',
      requests: 5,
      window_secs: 60,
      algorithm: 'sliding-window',
      store: 'durable-object',
    },
  ],
  routes: [
    { path: '/public/*', methods: ['GET'], auth: 'none' },
    { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
    { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
    { path: '/v1/limited', methods: ['GET'], limits: ['limited'] },
  ],
  admin: { secret: 'ADMIN_TOKEN' },
  ...changes,
});

const withoutUndefined = (object) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** A token of the example issuer. */
export const token = (claims = {}, options = {}) =>
  signHmac(
    { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: nowSecs() + 600, ...claims },
    { secret: SECRETS.JWT_SECRET, ...options },
  );

/** An API key with a valid tag. It has no record, so it works only if the policy asks for none. */
export const apiKey = (options = {}) => mintKey({ secret: SECRETS.API_KEY_SECRET, ...options });

let lastAddress = randomBytes(2).readUInt16BE() * 256;

/** A client address that no test in this process has used. */
export function freshIp() {
  lastAddress += 1;
  return `10.${(lastAddress >> 16) & 255}.${(lastAddress >> 8) & 255}.${lastAddress & 255}`;
}

/** A folder that is removed when the process ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-test-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A port on which nothing listens. */
export async function closedPort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function compatibility() {
  const file = path.join(ROOT, 'wrangler.toml');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const date = /^compatibility_date\s*=\s*"(.+?)"/m.exec(text)?.[1] ?? '2026-04-01';
  const flags = /^compatibility_flags\s*=\s*\[(.*?)\]/m.exec(text)?.[1] ?? '';
  return {
    compatibilityDate: date,
    compatibilityFlags: [...flags.matchAll(/"(.+?)"/g)].map((match) => match[1]),
  };
}

/** The gate as a worker of Miniflare. */
export function gateWorker({ name = 'gate', policy: given, secrets = SECRETS, worker = {} } = {}) {
  if (!existsSync(path.join(BUILD, 'index.js'))) {
    throw new Error(`no Worker in ${BUILD}: run cargo xtask build`);
  }
  const { bindings, ...rest } = worker;
  return {
    name,
    ...compatibility(),
    modulesRoot: BUILD,
    modules: [
      { type: 'ESModule', path: path.join(BUILD, 'index.js') },
      { type: 'CompiledWasm', path: path.join(BUILD, 'index_bg.wasm') },
    ],
    bindings: { ...(given === undefined ? {} : { POLICY: given }), ...secrets, ...bindings },
    kvNamespaces: { EDGEGATE_KV: `${name}-kv` },
    durableObjects: {
      EDGEGATE_COUNTERS: { className: 'CounterObject', useSQLite: true },
      EDGEGATE_LEDGER: { className: 'RevocationLedger', useSQLite: true },
      EDGEGATE_SESSIONS: { className: 'SessionObject', useSQLite: true },
      EDGEGATE_KEYS: { className: 'KeyRingObject', useSQLite: true },
      EDGEGATE_GRANTS: { className: 'GrantObject', useSQLite: true },
      EDGEGATE_WATCH: { className: 'WatchObject', useSQLite: true },
      EDGEGATE_LOGINS: { className: 'LoginObject', useSQLite: true },
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    ...rest,
  };
}

/**
 * Starts a gate with this policy. `worker` adds to the worker's Miniflare options, `others` are workers
 * beside it, `shared` are options of Miniflare itself.
 */
export async function startGate({ policy: given = policy(), secrets, worker, others = [], shared = {} } = {}) {
  return start([gateWorker({ policy: given, secrets, worker }), ...others], { shared, secrets });
}

/** Starts several workers in one process. Requests go to the first one unless they name another. */
export async function start(workers, { shared = {}, secrets = SECRETS } = {}) {
  const output = new Output();
  const mf = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    // Otherwise Miniflare asks Cloudflare for an example of `cf`.
    cf: false,
    log: new Log(LogLevel.WARN),
    handleStructuredLogs: ({ message }) => output.add(message),
    workers: wrapBindings(workers),
    ...shared,
  });
  await mf.ready;
  const gate = new Gate(mf, output, Object.values(secrets));
  for (const worker of workers.filter((one) => one.unsafeDirectSockets)) {
    gate.ports.set(worker.name, Number((await mf.unsafeGetDirectURL(worker.name)).port));
  }
  gate.name = workers[0].name;
  return gate;
}

/** The lines that the runtime prints. */
class Output {
  lines = [];
  #waiting = new Set();

  add(message) {
    for (const line of message.split('\n').filter(Boolean)) {
      this.lines.push(line);
      for (const wait of this.#waiting) wait(line);
    }
  }

  /** Returns the first line from `from` on for which `wanted` is true. It waits, since a line comes some time after the answer. */
  async find(wanted, from = 0, deadline = 5000) {
    const there = this.lines.slice(from).find(wanted);
    if (there !== undefined) return there;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no such line in the log:\n${this.lines.slice(from).join('\n')}`));
      }, deadline);
      const look = (line) => {
        if (!wanted(line)) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(line);
      };
      this.#waiting.add(look);
    });
  }
}

/** Signs of a trap or an exception that nobody caught. The words are those of workerd and of Rust. */
const FAULTS = /panicked at|RuntimeError|unreachable executed|Uncaught|hung|wasm trap/;
/** Usable credentials: three segments of a token, or a key. */
const CREDENTIALS = /eyJ[\w-]{5,}\.[\w-]+\.[\w-]{5,}|[a-z]+_[a-z0-9]+_[0-9A-Za-z]{58}|edgegate_[rs]t_[\w-]{8}/;

class Gate {
  ports = new Map();
  #agent = new http.Agent({ keepAlive: true, maxSockets: 32 });

  constructor(mf, output, secrets) {
    this.mf = mf;
    this.output = output;
    this.secrets = secrets;
  }

  port(name = this.name) {
    return this.ports.get(name);
  }

  /**
   * One request. `token`, `key`, `basic` and `admin` set a credential, `ip` the client's address (a fresh
   * one by default, `null` for none), `headers` anything else (a list of pairs keeps repeated names).
   * The path goes out exactly as it is written.
   */
  request(method, target, options = {}) {
    const { body, gate, raw, agent = this.#agent, localAddress } = options;
    const headers = requestHeaders(options, body);
    return new Promise((resolve, reject) => {
      const request = http.request(
        { agent, localAddress, host: '127.0.0.1', port: options.port ?? this.port(gate), method, path: target, setHost: false },
        (response) => {
          if (raw) return resolve(response);
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => resolve(new Answer(response, Buffer.concat(chunks), options)));
        },
      );
      request.on('error', (fault) => {
        // workerd closes a connection that nobody used for a while, perhaps just as this request took it.
        const closedBefore = request.reusedSocket && fault.code === 'ECONNRESET' && !body?.pipe;
        if (closedBefore) resolve(this.request(method, target, { ...options, agent: false }));
        else reject(this.#explained(fault, options));
      });
      for (const [name, values] of headers) request.setHeader(name, values.length === 1 ? values[0] : values);
      if (body?.pipe) return body.pipe(request);
      const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      // Node does not set it for DELETE, and then the body would be read as the next request.
      if (bytes !== undefined) request.setHeader('Content-Length', bytes.length);
      request.end(bytes);
    });
  }

  /**
   * Explains a fault that looks like the gate's. If workerd gets SIGTERM, it answers what is under way and listens no longer, so the next
   * request is refused.
   */
  #explained(fault, { port }) {
    if (fault.code !== 'ECONNREFUSED' || port !== undefined) return fault;
    const last = this.output.lines.slice(-5).join('\n');
    return new Error(`workerd listens no longer: somebody has ended it (SIGTERM), or it has crashed. Its last lines:\n${last}`, { cause: fault });
  }

  get(target, options) {
    return this.request('GET', target, options);
  }

  /** Begins `count` requests, and hangs up once `wanted` is true. It resets the connections, since workerd goes on after a mere end. */
  async hangUp(target, { count = 1, gate, token: bearer, wanted }) {
    const headers = requestHeaders({ token: bearer });
    const requests = Array.from({ length: count }, () => http.request({
      host: '127.0.0.1', port: this.port(gate), path: target, setHost: false, headers: Object.fromEntries([...headers].map(([name, [value]]) => [name, value])),
    }));
    for (const request of requests) {
      request.on('error', () => {});
      request.end();
    }
    await until(wanted);
    for (const request of requests) request.socket.resetAndDestroy();
  }

  post(target, options) {
    return this.request('POST', target, options);
  }

  /** Sends bytes as they are, for requests that no client library sends. Resolves with everything that came back. */
  send(bytes, gate) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.port(gate), '127.0.0.1');
      const chunks = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
      socket.end(bytes);
    });
  }

  /** A request to an administration endpoint, with the right token. */
  admin(method, target, body, options = {}) {
    return this.request(method, `/auth/admin${target}`, { token: SECRETS.ADMIN_TOKEN, body, ...options });
  }

  /** Mints a key by the administration endpoint. */
  async mint(wanted = {}) {
    const answer = await this.admin('POST', '/keys', {
      name: 'test', owner: 'bob', scopes: ['read:posts'], ...wanted,
    });
    assert.equal(answer.status, 201, answer.text);
    return answer.json();
  }

  /** Fails if the runtime printed a trap, an uncaught exception, a credential or a secret. */
  assertQuiet() {
    for (const line of this.output.lines) {
      assert.doesNotMatch(line, FAULTS);
      assert.doesNotMatch(line, CREDENTIALS);
      for (const secret of this.secrets) assert.ok(!line.includes(secret), 'a secret is in the log');
    }
  }

  async dispose() {
    this.#agent.destroy();
    await this.mf.dispose();
    this.assertQuiet();
  }
}

function requestHeaders({ headers = {}, ip = freshIp(), token: bearer, key, basic, host = 'api.example.com' }, body) {
  const all = new Map();
  const add = (name, value) => all.set(name, [...(all.get(name) ?? []), value]);
  add('Host', host);
  if (ip !== null) add('CF-Connecting-IP', ip);
  if (bearer !== undefined) add('Authorization', `Bearer ${bearer}`);
  if (key !== undefined) add('X-API-Key', key);
  if (basic !== undefined) add('Authorization', `Basic ${Buffer.from(`${basic}:`).toString('base64')}`);
  if (body !== undefined && !body.pipe && !Buffer.isBuffer(body) && typeof body !== 'string') {
    add('Content-Type', 'application/json');
  }
  for (const [name, value] of Array.isArray(headers) ? headers : Object.entries(headers)) add(name, value);
  return all;
}

/** What came back. */
class Answer {
  constructor(response, body, sent) {
    this.status = response.statusCode;
    this.headers = response.headers;
    this.rawHeaders = response.rawHeaders;
    this.body = body;
    this.sent = sent;
  }

  get text() {
    return this.body.toString('utf8');
  }

  json() {
    try {
      return JSON.parse(this.text);
    } catch {
      assert.fail(`status ${this.status}, not JSON: ${this.text.slice(0, 300)}`);
    }
  }
}

/** Fails unless a gate without upstream has admitted the request. Returns the identity that it saw. */
export function admitted(answer, expected = {}) {
  assert.equal(answer.status, 200, answer.text);
  const identity = answer.json();
  assert.deepEqual(Object.keys(identity).sort(), ['issuer', 'key_id', 'method', 'scopes', 'subject']);
  assert.equal(answer.headers['x-auth-method'], identity.method);
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(identity[name], value, name);
  return identity;
}

/** What bodies of these codes have beside the hint. */
export const BESIDE = Object.freeze({
  LOGIN_REQUIRED: ['login_url'],
  MFA_REQUIRED: ['mfa_token', 'methods', 'expires_in'],
  MFA_SETUP_REQUIRED: ['mfa_token', 'methods', 'expires_in'],
});

/**
 * Fails unless the whole answer is this refusal: status, body, headers, and no trace of the credential. `hint` is the expected hint (a
 * string or a pattern), `scope` the scopes of a 403, `maxAge` the longest time since a sign-in.
 */
export function refused(answer, code, { hint, scope, scheme, maxAge } = {}) {
  const [status, title] = CODES[code];
  assert.equal(`${answer.status} ${answer.text && JSON.parse(answer.text).code}`, `${status} ${code}`, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['cache-control'], 'no-store');
  const body = answer.json();
  assert.deepEqual(Object.keys(body), ['error', 'code', 'hint', ...(BESIDE[code] ?? [])]);
  assert.equal(body.error, title);
  assertHint(body.hint, hint);
  assertRefusalHeaders(answer, code, { scope, scheme, maxAge });
  assertNoCredential(answer);
  return body;
}

export function assertHint(found, expected) {
  assert.equal(typeof found, 'string');
  assert.notEqual(found, '');
  if (expected instanceof RegExp) assert.match(found, expected);
  else if (expected !== undefined) assert.equal(found, expected);
}

/** Fails unless the answer has the headers that belong to this code, and none that belong to others. */
export function assertRefusalHeaders(answer, code, { scope, scheme, maxAge } = {}) {
  const [status, title] = CODES[code];
  const realm = 'Bearer realm="edgegate"';
  const bearer = scheme === 'bearer' || (scheme === undefined && answer.sent.token !== undefined);
  let challenge;
  if (code === 'INSUFFICIENT_SCOPE' && bearer) challenge = `${realm}, error="insufficient_scope", scope="${scope}"`;
  else if (code === 'STEP_UP_REQUIRED' && bearer) {
    challenge = `${realm}, error="insufficient_user_authentication", error_description="${title}", max_age="${maxAge}"`;
  } else if (status === 401 && bearer && code !== 'MISSING_CREDENTIALS') {
    challenge = `${realm}, error="invalid_token", error_description="${title}"`;
  } else if (status === 401 || status === 403) challenge = realm;
  assert.equal(answer.headers['www-authenticate'], challenge);

  if ([429, 503].includes(status)) assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
  else assert.equal(answer.headers['retry-after'], undefined);
  assert.equal(answer.headers.allow !== undefined, status === 405, 'Allow');
  for (const name of Object.keys(answer.headers)) assert.doesNotMatch(name, /^x-auth-/);
}

/** Fails if a part of the credential that was sent is in the answer. */
export function assertNoCredential(answer) {
  const { token: bearer, key, basic } = answer.sent;
  const all = `${answer.rawHeaders.join('\n')}\n${answer.text}`;
  const parts = [bearer, key, basic]
    .filter(Boolean)
    .flatMap((credential) => [credential, ...credential.split(/[._]/)])
    .filter((part) => part.length >= 16);
  for (const part of parts) assert.ok(!all.includes(part), 'the answer contains the credential');
}

/** Waits until `wanted` is true, but not for ever: the gate may be gone. */
export async function until(wanted, millis = 30_000) {
  const end = Date.now() + millis;
  while (!(await wanted())) {
    assert.ok(Date.now() < end, `not within ${millis} ms: ${wanted}`);
    await new Promise(setImmediate);
  }
}

/** Runs `step` on each item, a few at a time, and stops at the first fault. */
export async function forEach(items, step, atOnce = 24) {
  const iterator = items[Symbol.iterator]();
  const run = async () => {
    for (const item of iterator) await step(item);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}
