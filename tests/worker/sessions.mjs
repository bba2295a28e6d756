// A gate with sessions. A test can move its clock, and count the calls and writes of its objects.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { AUDIENCE, BUILD, SECRETS, freshIp, gateWorker, policy } from './harness.mjs';
import { claimsOf } from './token.mjs';

export const GATE = 'https://gate.edgegate.local/';
export const AT = '__Host-edgegate-at';
export const RT = '__Host-edgegate-rt';

/** The section of the example policy. */
export const SESSIONS = Object.freeze({
  issuer: GATE,
  audience: [AUDIENCE],
  secret: 'SESSION_SECRET',
  algorithm: 'ES256',
  access_secs: 900,
  cookies: true,
  clients: [{ id: 'batch', secret: 'BATCH_CLIENT_SECRET', grants: ['client_credentials'], scopes: ['read:posts'] }],
});

export const sessionPolicy = (changes = {}, sessions = {}) => policy({
  failed_authentication: { requests: 1000, window_secs: 60 },
  origin: 'https://api.example.com',
  sessions: { ...SESSIONS, ...sessions },
  ...changes,
});

/** A module in front of the gate's: it moves the clock, counts, and lets tests look into objects. */
const FRONT = `
import gate, * as engine from './index.js';
export { CounterObject, RevocationLedger } from './index.js';

let ahead = 0;
let stopped;
const now = Date.now;
Date.now = () => (stopped ?? now.call(Date)) + ahead;

const counts = { sessions: 0, keys: 0, grants: 0, logins: 0, rows: 0, tables: 0, alarms: 0, stored: [] };
let broken = false;
let faults = 0;
let flaky = false;
let slow = 0;

const counting = (context) => {
  const { storage } = context;
  const sql = {
    exec(...values) {
      const cursor = storage.sql.exec(...values);
      counts.rows += cursor.rowsWritten;
      if (values[0].startsWith('CREATE TABLE') && cursor.rowsWritten > 0) counts.tables += 1;
      return cursor;
    },
  };
  const proxied = new Proxy(storage, {
    get(target, name) {
      if (name === 'sql') return sql;
      if (name === 'setAlarm') return (...values) => { counts.alarms += 1; return target.setAlarm(...values); };
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return new Proxy(context, {
    get(target, name) {
      if (name === 'storage') return proxied;
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};

const counted = (Class, name) => class extends Class {
  #context;
  constructor(context, env) {
    super(counting(context), env);
    this.#context = context;
  }
  fetch(request) {
    if (request.headers.has('X-Dump')) return this.#dump();
    if (request.headers.has('X-Alarm')) return this.alarm();
    if (request.headers.has('X-Evict')) { this.#context.abort('evicted'); }
    counts[name] += 1;
    if (broken && name === 'sessions') throw new Error('the object is broken');
    if (faults > 0 && name === 'sessions') { faults -= 1; throw new Error('the object is broken for once'); }
    if (slow > 0 && name === 'sessions') return new Promise((resolve) => { setTimeout(resolve, slow); }).then(() => super.fetch(request));
    return super.fetch(request);
  }
  #dump() {
    const { sql } = this.#context.storage;
    const tables = [...sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\\\_cf%' ESCAPE '\\\\'")];
    return Response.json(tables.flatMap(({ name }) => [...sql.exec('SELECT * FROM ' + name)]));
  }
};
export const SessionObject = counted(engine.SessionObject, 'sessions');
export class FlakyLedger extends engine.RevocationLedger {
  fetch(request) {
    if (flaky) throw new Error('the ledger is broken');
    return super.fetch(request);
  }
}
export const GrantObject = counted(engine.GrantObject, 'grants');
export const KeyRingObject = counted(engine.KeyRingObject, 'keys');
export const LoginObject = counted(engine.LoginObject, 'logins');
export { WatchObject } from './index.js';

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (!url.pathname.startsWith('/__test/')) return gate.fetch(request, env, context);
    const value = url.searchParams.get('value');
    switch (url.pathname) {
      case '/__test/ahead': ahead = Number(value); break;
      case '/__test/stopped': stopped = value === 'true' ? now.call(Date) : undefined; break;
      case '/__test/faults': faults = Number(value); break;
      case '/__test/slow': slow = Number(value); break;
      case '/__test/flaky': flaky = value === 'true'; break;
      case '/__test/ring': {
        const ring = env.EDGEGATE_KEYS.get(env.EDGEGATE_KEYS.idFromName('ring'));
        return ring.fetch('https://object.invalid/', { method: 'POST', body: value });
      }
      case '/__test/broken': broken = value === 'true'; break;
      case '/__test/counts': return Response.json(counts);
      case '/__test/object': {
        const namespace = env[url.searchParams.get('binding')];
        try {
          return await namespace.get(namespace.idFromName(value)).fetch('https://object.invalid/', { headers: { [url.searchParams.get('do')]: '1' } });
        } catch (fault) {
          return new Response(String(fault));
        }
      }
    }
    return new Response('done');
  },
};
`;

/** The options of such a gate. */
export function sessionWorker({ name = 'gate', policy: given = sessionPolicy(), secrets = SECRETS, worker = {} } = {}) {
  return gateWorker({
    name,
    policy: given,
    secrets,
    worker: {
      modulesRoot: BUILD,
      modules: [
        { type: 'ESModule', path: path.join(BUILD, 'front.js'), contents: FRONT },
        { type: 'ESModule', path: path.join(BUILD, 'index.js'), contents: readFileSync(path.join(BUILD, 'index.js'), 'utf8') },
        { type: 'CompiledWasm', path: path.join(BUILD, 'index_bg.wasm') },
      ],
      ...worker,
    },
  });
}

/** The steps of a test with such a gate. */
export class Sessions {
  constructor(gate, name) {
    this.gate = gate;
    this.name = name;
    this.ahead = 0;
  }

  /** Moves the clock of the gate and of all its objects. */
  async wait(secs) {
    this.ahead += secs * 1000;
    await this.test(`ahead?value=${this.ahead}`);
  }

  async counts() {
    return (await this.test('counts')).json();
  }

  test(what) {
    return this.gate.get(`/__test/${what}`, { gate: this.name });
  }

  /** Makes the object of this name do something. */
  object(binding, name, what) {
    return this.test(`object?binding=${binding}&value=${encodeURIComponent(name)}&do=${what}`);
  }

  request(method, target, options = {}) {
    return this.gate.request(method, target, { gate: this.name, ...options });
  }

  get(target, options) {
    return this.request('GET', target, options);
  }

  post(target, options) {
    return this.request('POST', target, options);
  }

  admin(method, target, body, options) {
    return this.request(method, `/auth/admin${target}`, { token: SECRETS.ADMIN_TOKEN, body, ...options });
  }

  /** Opens a session. */
  async open(wanted = {}) {
    const answer = await this.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'], ...wanted });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
    const opened = answer.json();
    return { ...opened, subject: claimsOf(opened.access_token).sub };
  }

  refresh(refreshToken, options = {}) {
    return this.post('/auth/refresh', { body: { refreshToken }, ...options });
  }

  form(target, fields, options = {}) {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...options.headers };
    return this.post(target, { ...options, body: new URLSearchParams(fields).toString(), headers });
  }

  /** A browser that is logged in. */
  async browser(wanted = {}) {
    const answer = await this.admin('POST', '/sessions', { subject: `user-${freshIp()}`, scopes: ['read:posts'], ticket: true, ...wanted });
    const { ticket } = answer.json();
    const started = await this.post('/auth/session/start', { body: { ticket }, headers: SAME_ORIGIN });
    if (started.status !== 200) throw new Error(`${started.status} ${started.text}`);
    const browser = new Browser(this);
    browser.take(started);
    return browser;
  }
}

export const SAME_ORIGIN = { 'Sec-Fetch-Site': 'same-origin' };
export const CROSS_SITE = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };

/** Returns the cookies that an answer sets, by name; '' for one that it expires. */
export function cookiesOf(answer) {
  const set = answer.headers['set-cookie'] ?? [];
  return Object.fromEntries(set.map((line) => /^([^=]+)=([^;]*)/.exec(line).slice(1)));
}

/** A jar of cookies. */
export class Browser {
  jar = {};

  constructor(sessions) {
    this.sessions = sessions;
  }

  take(answer) {
    Object.assign(this.jar, cookiesOf(answer));
    for (const [name, value] of Object.entries(this.jar)) if (value === '') delete this.jar[name];
    return answer;
  }

  get cookie() {
    return Object.entries(this.jar).map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async request(method, target, { headers = SAME_ORIGIN, ...options } = {}) {
    return this.take(await this.sessions.request(method, target, { ...options, headers: { ...headers, Cookie: this.cookie } }));
  }

  get(target, options) {
    return this.request('GET', target, options);
  }

  post(target, options) {
    return this.request('POST', target, options);
  }
}
