// A provider on loopback: the parts of OAuth 2.0 and OpenID Connect that all of them have. What one has of its own is in the file with its
// name: data, and a few small functions. It is as strict as the real one, so that whoever logs in by it would log in there.
//
// Nobody has to click: the authorization endpoint answers at once for `user`. `showsPage` puts a page with a link in between.

import http from 'node:http';

import { Refusal, formPost, json, linkPage, nothing, once, page, read, redirect } from './http.mjs';
import { challengeOf, halfHash, makeKey, publicJwk, random, signed } from './keys.mjs';

/** What a provider is unless its own file says otherwise. */
export const STANDARD = {
  /** The issuer, below this origin. */
  issuer: (origin) => origin,
  paths: {
    authorization: '/authorize', token: '/token', userinfo: '/userinfo', jwks: '/jwks', revocation: '/revoke', logout: '/logout',
  },
  /** How a client may prove itself. */
  authentication: ['client_secret_basic', 'client_secret_post'],
  /** The methods of PKCE, and whether a request without it is refused. */
  challenges: ['S256'],
  needsChallenge: false,
  separator: ' ',
  /** Whether this is a scope of this provider. */
  knowsScope: (scope) => ['openid', 'profile', 'email', 'offline_access', 'groups'].includes(scope),
  responseModes: ['query'],
  /** Whether the callback names the issuer (RFC 9207). */
  sendsIss: false,
  hasIdToken: true,
  givesIdToken: (scopes) => scopes.includes('openid'),
  /** Whether the token endpoint takes JSON as well, and whether it does without what RFC 6749 wants at both endpoints. */
  takesJson: false,
  isLoose: false,
  codeSecs: 60,
  accessSecs: 3600,
  /** Whether this grant brings a refresh token; whether each is for one use; whether a second use ends all of its family. */
  givesRefresh: (grant) => grant.scopes.includes('offline_access'),
  rotates: true,
  endsFamily: true,
  /** Whether the one before goes on working all the same. */
  keepsOld: false,
  /** Whether the access token dies with a refresh. */
  endsAccess: false,
  metadata: () => ({}),
  callback: () => ({}),
  claims: () => ({}),
  userinfo: (grant, provider) => ({ sub: grant.user.sub, ...provider.kind.claims(grant, provider) }),
  answer: (body) => body,
  refusal: (refusal) => json(refusal.status, { error: refusal.error, error_description: refusal.message }),
  routes: () => ({}),
};

/** Somebody who has an account everywhere. */
export const ANN = Object.freeze({
  sub: '248289761001', name: 'Ann Example', email: 'ann@corp.example', email_verified: true, groups: ['staff', 'admins'],
});

export const CALLBACK = 'https://api.example.com/auth/callback';

export class Provider {
  /** Who is signed in at the provider; `null`: nobody. */
  user = ANN;
  /** The word with which the authorization endpoint refuses; `undefined`: it gives a code. */
  denies;
  showsPage = false;
  /** Every request, in order. */
  requests = [];
  /** What is done wrong on purpose: a function for each place, which gets what would be right and returns what is sent. */
  tamper = {};
  keys = [makeKey()];
  #codes = new Map();
  #accessTokens = new Map();
  #refreshTokens = new Map();
  #consents = new Set();
  #servers = [];

  constructor(kind, { client = {}, settings = {}, now = () => Math.floor(Date.now() / 1000) } = {}) {
    this.kind = kind;
    this.settings = settings;
    this.now = now;
    this.client = {
      // Both have to be encoded before they are joined (RFC 6749 §2.3.1).
      id: `${kind.name}-client`, secret: `${random('secret/')}+=`, redirectUris: [`${CALLBACK}/${kind.name}`], ...client,
    };
  }

  async listen() {
    this.origin = await this.#listenOnce();
    // Some have their pages at another host than their issuer.
    this.domain = this.kind.hasDomain ? await this.#listenOnce() : this.origin;
    this.issuer = this.kind.issuer(this.origin, this);
    return this;
  }

  async #listenOnce() {
    const server = http.createServer((request, response) => this.#serve(request, response));
    this.#servers.push(server);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${server.address().port}`;
  }

  async close() {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** The URL of an endpoint. */
  url(name) {
    return this.domain + this.kind.paths[name];
  }

  /** How often a path was asked. */
  count(path) {
    return this.requests.filter((one) => one.path === path).length;
  }

  /** New keys sign from now on. `keep`: the old ones are still published. */
  rotateKeys({ keep = false } = {}) {
    this.keys = [makeKey(), ...(keep ? this.keys : [])];
  }

  async #serve(request, response) {
    const call = await read(request, this.origin);
    this.requests.push(call);
    // A test may wait, break off, or answer in place of the provider.
    const other = await this.tamper.request?.(call, response);
    if (response.destroyed) return;
    const { status, headers, body } = other ?? this.#answer(call);
    response.writeHead(status, headers).end(body);
  }

  #answer(call) {
    const { paths } = this.kind;
    const routes = {
      [`GET ${new URL(this.issuer).pathname.replace(/\/$/, '')}/.well-known/openid-configuration`]: () => this.#metadata(),
      [`GET ${paths.authorization}`]: () => this.#authorize(call),
      [`POST ${paths.token}`]: () => this.#token(call),
      [`GET ${paths.userinfo}`]: () => this.#userinfo(call),
      [`POST ${paths.userinfo}`]: () => this.#userinfo(call),
      [`GET ${paths.jwks}`]: () => this.#keySet(),
      [`POST ${paths.revocation}`]: () => this.#revoke(call),
      [`GET ${paths.logout}`]: () => this.#logout(call),
      ...this.kind.routes(this, call),
    };
    const route = routes[`${call.method} ${call.path}`];
    if (!route) return page(404, 'Not found');
    try {
      return route();
    } catch (fault) {
      if (fault instanceof Refusal) return this.kind.refusal(fault, call);
      throw fault;
    }
  }

  #tampered(place, right, ...rest) {
    return this.tamper[place] ? this.tamper[place](right, ...rest) : right;
  }

  #metadata() {
    if (!this.kind.hasIdToken) return page(404, 'Not found');
    const { kind } = this;
    const url = (name) => (kind.paths[name] ? this.url(name) : undefined);
    const document = {
      issuer: this.issuer,
      authorization_endpoint: url('authorization'),
      token_endpoint: url('token'),
      userinfo_endpoint: url('userinfo'),
      jwks_uri: kind.keysAtIssuer ? this.origin + kind.paths.jwks : url('jwks'),
      revocation_endpoint: url('revocation'),
      end_session_endpoint: url('logout'),
      response_types_supported: ['code'],
      response_modes_supported: kind.responseModes,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: kind.authentication,
      code_challenge_methods_supported: kind.challenges,
      ...(kind.sendsIss ? { authorization_response_iss_parameter_supported: true } : {}),
      ...kind.metadata(this),
    };
    return json(200, this.#tampered('metadata', document));
  }

  #keySet() {
    return json(200, this.#tampered('keySet', { keys: this.keys.map(publicJwk) }));
  }

  /** RFC 6749 §4.1.1. Until the client and its callback are known, nobody is sent anywhere. */
  #authorize(call) {
    const { kind, client } = this;
    let asked;
    try {
      asked = once(call.query);
    } catch (fault) {
      return page(400, fault.message);
    }
    if (asked.client_id !== client.id) return page(400, 'Unknown client');
    if (!client.redirectUris.includes(asked.redirect_uri)) return page(400, 'The redirect_uri is not one of those registered');
    const back = (parameters) => this.#sendBack(asked, parameters);
    const refused = (error, description) => back({ error, error_description: description, state: asked.state });
    try {
      this.#checkRequest(asked);
      kind.checkRequest?.(asked, this);
    } catch (fault) {
      return refused(fault.error, fault.message);
    }
    const prompts = (asked.prompt ?? '').split(' ');
    if (this.denies !== undefined) return refused(this.denies, 'The user did not agree');
    if (this.user === null) return refused('login_required', 'Nobody is signed in');
    const consent = `${client.id} ${this.user.sub}`;
    const grant = {
      user: this.user,
      client,
      asked,
      scopes: (asked.scope ?? '').split(kind.separator).filter(Boolean),
      isFirst: !this.#consents.has(consent),
      hasConsented: prompts.includes('consent') || !this.#consents.has(consent),
      authTime: this.now(),
      sid: random(),
      isOver: false,
    };
    this.#consents.add(consent);
    const code = random(kind.codePrefix);
    this.#codes.set(code, { grant, expiresAt: this.now() + kind.codeSecs, isUsed: false });
    const iss = kind.sendsIss ? this.issuer : undefined;
    const parameters = { code, state: asked.state, iss, ...kind.callback(grant, this) };
    return back(this.#tampered('callback', parameters, grant));
  }

  #checkRequest({ response_type: type, response_mode: mode, code_challenge: challenge, code_challenge_method: method, scope = '', nonce }) {
    const { kind } = this;
    if (type !== 'code' && !(kind.isLoose && type === undefined)) throw new Refusal('unsupported_response_type', 'Only code is supported');
    if (mode !== undefined && !kind.responseModes.includes(mode)) throw new Refusal('invalid_request', 'Unknown response_mode');
    if (challenge === undefined) {
      if (kind.needsChallenge) throw new Refusal('invalid_request', 'code_challenge is required');
    } else if (kind.challenges.length > 0) {
      if (!kind.challenges.includes(method ?? 'plain')) throw new Refusal('invalid_request', 'Unknown code_challenge_method');
      if (!/^[\w.~-]{43,128}$/.test(challenge)) throw new Refusal('invalid_request', 'code_challenge has another length');
    }
    const unknown = scope.split(kind.separator).filter(Boolean).find((one) => !kind.knowsScope(one));
    if (unknown !== undefined) throw new Refusal('invalid_scope', `Unknown scope ${unknown}`);
    if (nonce === '') throw new Refusal('invalid_request', 'nonce is empty');
  }

  #sendBack({ response_mode: mode, redirect_uri: uri }, parameters) {
    if (mode === 'form_post') return formPost(uri, parameters);
    const answer = redirect(uri, parameters);
    return this.showsPage ? linkPage(answer.headers.Location) : answer;
  }

  /** RFC 6749 §3.2: a form, each parameter once, a client that proves itself in one of the ways that it may. */
  #token(call) {
    if (this.kind.takesJson && call.type === 'application/json') call.form = new URLSearchParams(JSON.parse(call.body));
    else if (call.type !== 'application/x-www-form-urlencoded') throw new Refusal('invalid_request', 'Expected a form');
    const asked = once(call.form);
    this.authenticate(call, asked);
    const grant = this.#grantOf(asked, call);
    const body = this.#issue(grant, asked);
    const answer = this.#tampered('answer', this.kind.answer(body, grant, this, asked), grant);
    return this.kind.tokenAnswer?.(answer, call) ?? json(200, answer);
  }

  #grantOf(asked, call) {
    switch (asked.grant_type ?? this.kind.defaultGrantType) {
      case 'authorization_code': return this.#redeem(asked, call);
      case 'refresh_token': return this.#refresh(asked);
      default: throw new Refusal('unsupported_grant_type', 'Unknown grant_type');
    }
  }

  /** Which client it is; throws unless it proves that. */
  authenticate(call, asked) {
    const { kind, client } = this;
    const [scheme, credentials] = (call.headers.authorization ?? '').split(' ');
    const isBasic = scheme.toLowerCase() === 'basic';
    if (isBasic && asked.client_secret !== undefined) throw new Refusal('invalid_request', 'The client proves itself in two ways');
    const wrong = () => new Refusal('invalid_client', 'Client authentication failed', 401);
    if (!kind.authentication.includes(isBasic ? 'client_secret_basic' : 'client_secret_post')) throw wrong();
    let [id, secret] = [asked.client_id, asked.client_secret];
    if (isBasic) [id, secret] = Buffer.from(credentials, 'base64').toString('utf8').split(':').map(decoded);
    const holds = kind.checkSecret ? kind.checkSecret(secret, this) : secret === client.secret;
    if (id !== client.id || !holds) throw wrong();
    if (asked.client_id !== undefined && asked.client_id !== client.id) throw wrong();
  }

  /** RFC 6749 §4.1.3, RFC 7636 §4.6. A code that comes twice ends what it has brought (§4.1.2). */
  #redeem(asked) {
    const code = this.#codes.get(asked.code);
    const ended = (why) => new Refusal('invalid_grant', why, this.kind.grantStatus ?? 400);
    if (!code || this.now() >= code.expiresAt) throw ended('The code is not valid, or over');
    const { grant } = code;
    if (code.isUsed) {
      grant.isOver = true;
      throw ended('The code was used before');
    }
    const isLeftOut = this.kind.isLoose && asked.redirect_uri === undefined;
    if (asked.redirect_uri !== grant.asked.redirect_uri && !isLeftOut) throw ended('The redirect_uri is another one');
    const { code_challenge: challenge, code_challenge_method: method = 'plain' } = grant.asked;
    if (challenge !== undefined && this.kind.challenges.length > 0) {
      const { code_verifier: verifier = '' } = asked;
      if ((method === 'S256' ? challengeOf(verifier) : verifier) !== challenge) throw ended('The code_verifier is another one');
    }
    if (challenge === undefined && asked.code_verifier !== undefined) throw ended('There was no code_challenge');
    code.isUsed = true;
    return grant;
  }

  /** RFC 6749 §6, RFC 9700 §4.14.2. */
  #refresh(asked) {
    const token = this.#refreshTokens.get(asked.refresh_token);
    const ended = (why) => new Refusal('invalid_grant', why, this.kind.grantStatus ?? 400);
    if (!token || token.grant.isOver) throw ended('The refresh token is not valid, or over');
    if (token.isUsed) {
      if (this.kind.endsFamily) token.grant.isOver = true;
      throw ended('The refresh token was used before');
    }
    if (this.kind.rotates && !this.kind.keepsOld) token.isUsed = true;
    if (this.kind.endsAccess) this.#accessTokens.forEach((one) => { one.isOver ||= one.grant === token.grant; });
    return token.grant;
  }

  #issue(grant, asked) {
    const { kind } = this;
    const isRefresh = asked.grant_type === 'refresh_token';
    const access = kind.accessToken?.(grant, this) ?? random(kind.accessPrefix);
    this.#accessTokens.set(access, { grant, expiresAt: this.now() + kind.accessSecs, isOver: false });
    const body = { access_token: access, token_type: 'Bearer', expires_in: kind.accessSecs, scope: grant.scopes.join(' ') };
    if (isRefresh ? kind.rotates : kind.givesRefresh(grant, this)) {
      body.refresh_token = random(kind.refreshPrefix);
      this.#refreshTokens.set(body.refresh_token, { grant, isUsed: false });
    }
    const wanted = asked.scope === undefined ? grant.scopes : asked.scope.split(kind.separator);
    if (kind.hasIdToken && kind.givesIdToken(wanted)) body.id_token = this.idToken(grant, access, isRefresh);
    return body;
  }

  /** OpenID Connect Core 1.0 §2. */
  idToken(grant, access, isRefresh = false) {
    const now = this.now();
    const key = this.keys[0];
    const right = {
      header: { alg: key.alg, kid: key.kid, typ: 'JWT' },
      claims: {
        iss: this.issuer,
        sub: grant.user.sub,
        aud: grant.client.id,
        iat: now,
        exp: now + 3600,
        auth_time: grant.authTime,
        at_hash: halfHash(access),
        // §12.2: the token of a refresh should have none.
        ...(grant.asked.nonce !== undefined && !isRefresh ? { nonce: grant.asked.nonce } : {}),
        ...this.kind.claims(grant, this),
      },
      key,
    };
    const token = this.#tampered('idToken', right, grant, isRefresh);
    return typeof token === 'string' ? token : signed(token);
  }

  /** The grant that an access token in the header (RFC 6750 §2.1) is of. */
  granted(call) {
    const [scheme, token] = (call.headers.authorization ?? '').split(' ');
    const known = this.#accessTokens.get(token);
    const isAlive = known && !known.isOver && !known.grant.isOver && this.now() < known.expiresAt;
    if (!/^(bearer|token)$/i.test(scheme) || !isAlive) throw new Refusal('invalid_token', 'The access token is not valid', 401);
    return known.grant;
  }

  #userinfo(call) {
    const grant = this.granted(call);
    return json(200, this.#tampered('userinfo', this.kind.userinfo(grant, this), grant));
  }

  /** RFC 7009: who does not know a token says so to nobody. */
  #revoke(call) {
    const asked = once(call.form);
    this.authenticate(call, asked);
    this.end(asked.token);
    return nothing(200);
  }

  /** Ends the grant of a token. Returns whether there was one. */
  end(token) {
    const known = this.#refreshTokens.get(token) ?? this.#accessTokens.get(token);
    if (known) known.grant.isOver = true;
    return known !== undefined;
  }

  /** OpenID Connect RP-Initiated Logout 1.0 §2. */
  #logout(call) {
    const { post_logout_redirect_uri: uri, state } = once(call.query);
    this.user = null;
    if (uri === undefined) return page(200, 'Signed out');
    if (!(this.client.logoutUris ?? []).includes(uri)) return page(400, 'The post_logout_redirect_uri is not one of those registered');
    return redirect(uri, { state });
  }

  /** OpenID Connect Back-Channel Logout 1.0 §2.4. `change` gets header, claims and key. */
  logoutToken({ sub, sid }, change = (token) => token) {
    const key = this.keys[0];
    const now = this.now();
    const claims = {
      iss: this.issuer, aud: this.client.id, iat: now, exp: now + 120, jti: random(), ...(sub && { sub }), ...(sid && { sid }),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    };
    return signed(change({ header: { alg: key.alg, kid: key.kid, typ: 'logout+jwt' }, claims, key }));
  }

  /** `sid` of the newest login. */
  get lastSid() {
    return [...this.#codes.values()].at(-1)?.grant.sid;
  }
}

const decoded = (text) => decodeURIComponent(text.replaceAll('+', ' '));
