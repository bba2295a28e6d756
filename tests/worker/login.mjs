// A provider (the certified `oidc-provider`), and a browser that goes between it and the gate.

import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import http from 'node:http';
import { Provider } from 'oidc-provider';

import { AUDIENCE, SECRETS, freshIp } from './harness.mjs';
import { SESSIONS, sessionPolicy } from './sessions.mjs';

export const BINDING = '__Host-edgegate-b';
export const CLIENT = Object.freeze({ id: 'gate', secret: randomBytes(24).toString('hex') });
export const LOGIN_SECRETS = Object.freeze({ ...SECRETS, OP_CLIENT_SECRET: CLIENT.secret });

const newKey = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(6).toString('hex') };
};

/** A provider on a port of its own. `person` logs in whenever the browser comes; null says no. */
export class Op {
  person = { accountId: 'ann', email: 'ann@corp.example', email_verified: true, groups: ['staff'] };
  /** How well it says that people have proven who they are. */
  acr = 'gold';
  keys = [newKey()];
  requests = [];
  redirectUris = [];
  logoutUris = [];
  /** Where it tells that a session has ended; undefined: nowhere. */
  backchannelUri = undefined;
  /** Changes the answer of a path before it is sent: `(path, body) => body`. */
  change = undefined;
  #provider;

  async start() {
    this.server = http.createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
    this.issuer = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }

  /** From now on it signs by another key, and publishes that one only. */
  rotate() {
    this.keys = [newKey()];
    this.#provider = undefined;
  }

  get provider() {
    return (this.#provider ??= this.#make());
  }

  #make() {
    const provider = new Provider(this.issuer, {
      clients: [{
        client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: this.redirectUris,
        post_logout_redirect_uris: this.logoutUris,
        ...(this.backchannelUri === undefined ? {} : { backchannel_logout_uri: this.backchannelUri, backchannel_logout_session_required: true }),
        response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
      }],
      jwks: { keys: this.keys },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
      scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true }, revocation: { enabled: true }, backchannelLogout: { enabled: true } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...this.people.get(accountId) }) }),
      cookies: { keys: ['a test'] },
      acrValues: ['bronze', 'gold'],
      // Its own goes to public addresses alone.
      fetch: (url, { dispatcher, ...options }) => fetch(url, options),
      ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
    });
    provider.on('server_error', (_, fault) => { console.error(fault); });
    provider.on('grant.success', ({ body }) => {
      if (body.id_token !== undefined) this.sids.push(JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url')).sid);
    });
    provider.on('backchannel.success', () => { this.told += 1; });
    provider.on('backchannel.error', (_, fault) => { this.notTold.push(fault.message); });
    return provider;
  }

  people = new Map();
  /** How often somebody was told that a session has ended, and what went wrong. */
  told = 0;
  notTold = [];
  /** Its own sessions, as ID tokens have named them. */
  sids = [];

  /** A token of its own making. */
  signed(claims, { typ = 'logout+jwt', key = this.keys[0] } = {}) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg: 'RS256', kid: this.keys[0].kid, typ })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(text), createPrivateKey({ key, format: 'jwk' }));
    return `${text}.${signature.toString('base64url')}`;
  }

  /** A token that says that sessions have ended. */
  logoutToken(claims = {}, options = {}) {
    const now = Math.floor(Date.now() / 1000);
    return this.signed({
      iss: this.issuer, aud: CLIENT.id, iat: now, exp: now + 120, jti: randomBytes(12).toString('hex'),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, ...claims,
    }, options);
  }

  async #answer(request, response) {
    this.requests.push(`${request.method} ${request.url.split('?')[0]}`);
    const [path] = request.url.split('?');
    if (this.change !== undefined) {
      const changed = this.change(request);
      if (changed !== undefined) {
        response.writeHead(changed.status ?? 200, { 'Content-Type': 'application/json', ...changed.headers });
        return response.end(changed.body);
      }
    }
    if (!path.startsWith('/interaction/')) return this.provider.callback()(request, response);
    if (this.person === null) {
      return this.provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'the person said no' });
    }
    const { accountId, ...claims } = this.person;
    this.people.set(accountId, claims);
    const details = await this.provider.interactionDetails(request, response);
    const grant = new this.provider.Grant({ accountId, clientId: details.params.client_id });
    grant.addOIDCScope(details.params.scope);
    const grantId = await grant.save();
    return this.provider.interactionFinished(request, response, { login: { accountId, amr: ['pwd'], acr: this.acr }, consent: { grantId } });
  }

  count(what) {
    return this.requests.filter((one) => one.endsWith(what)).length;
  }
}

/** A provider in the policy. */
export const provider = (op, fields = {}) => ({
  id: 'op', type: 'oidc', title: 'Example', issuer: op.issuer, client_id: CLIENT.id, client_secret: 'OP_CLIENT_SECRET',
  request_scopes: ['openid', 'email', 'groups'], scopes: { default: ['read:posts'] }, ...fields,
});

/** A policy with logins. */
export const loginPolicy = (providers, { login = {}, sessions = {}, ...changes } = {}) => sessionPolicy({
  origin: undefined,
  sessions: { ...SESSIONS, audience: [AUDIENCE], ...sessions },
  login: { providers, ...login },
  ...changes,
});

export const PAGE = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };

/** A browser with a jar of cookies for each host. It goes where redirects send it. */
export class Visitor {
  jars = new Map();
  trail = [];

  constructor(gate, { name, ip = freshIp() } = {}) {
    this.gate = gate;
    this.gateName = name;
    this.ip = ip;
    this.origin = `http://127.0.0.1:${gate.port(name)}`;
  }

  jar(origin = this.origin) {
    if (!this.jars.has(origin)) this.jars.set(origin, {});
    return this.jars.get(origin);
  }

  cookie(origin) {
    return Object.entries(this.jar(origin)).map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** One request, of a page unless `headers` say otherwise. */
  async one(url, { method = 'GET', headers = PAGE, body } = {}) {
    const { origin, pathname, search } = new URL(url, this.origin);
    const cookie = this.cookie(origin);
    const all = { ...headers, ...(cookie === '' ? {} : { Cookie: cookie }) };
    const answer = origin === this.origin
      ? await this.gate.request(method, `${pathname}${search}`, { gate: this.gateName, host: new URL(origin).host, ip: this.ip, body, headers: all })
      : await elsewhere(method, `${origin}${pathname}${search}`, all, body);
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, cookieName, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) delete this.jar(origin)[cookieName];
      else this.jar(origin)[cookieName] = value;
    }
    this.trail.push(`${answer.status} ${origin}${pathname}`);
    return answer;
  }

  /** Goes on until there is no redirect, or one to a place that `until` names. Returns the answer, with its `url`. */
  async go(url, { until, ...options } = {}) {
    let at = new URL(url, this.origin).href;
    let answer = await this.one(at, options);
    for (let steps = 0; answer.status >= 300 && answer.status < 400; steps += 1) {
      if (steps > 20) throw new Error(`goes round in circles: ${this.trail.join('\n')}`);
      const next = new URL(answer.headers.location, at).href;
      if (until?.(next)) return Object.assign(answer, { url: next });
      at = next;
      answer = await this.one(at);
    }
    return Object.assign(answer, { url: at });
  }

  /** As far as the callback, which it does not ask for. Returns its URL. */
  async toCallback(url) {
    const answer = await this.go(url, { until: (next) => next.startsWith(`${this.origin}/auth/callback/`) });
    if (!answer.url.startsWith(`${this.origin}/auth/callback/`)) throw new Error(`${answer.status} ${answer.url} ${answer.text}`);
    return answer.url;
  }
}

async function elsewhere(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
