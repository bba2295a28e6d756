// Slack as a bot sees it: the installation (https://docs.slack.dev/authentication/installing-with-oauth), tokens that rotate
// (https://docs.slack.dev/authentication/using-token-rotation), and two methods of its Web API. Every answer has status 200.

import { randomBytes } from 'node:crypto';
import http from 'node:http';

export const SLACK_CLIENT = Object.freeze({ id: '123.456', secret: randomBytes(16).toString('hex') });

const random = (prefix) => `${prefix}-${randomBytes(16).toString('hex')}`;
const LIFE_SECS = 43_200;

/** What an API may say to a browser, and the gate does not pass on. */
export const SAID_TO_BROWSERS = Object.freeze({
  'Set-Cookie': 'd=slack', 'Access-Control-Allow-Origin': '*', 'WWW-Authenticate': 'Basic realm="slack"', Link: '</a.js>; rel=preload', 'Report-To': '{}',
  'Reporting-Endpoints': 'a="https://slack.com/r"', 'Cache-Control': 'public, max-age=600', 'CDN-Cache-Control': 'public, max-age=600',
});

export class Slack {
  /** The team that installs next. */
  team = { id: 'T1', name: 'Acme' };
  /** How long the token endpoint takes, and what it does in place of answering. */
  delay = 0;
  fault = undefined;
  rotates = true;
  requests = [];
  posted = [];
  /** The tokens that it ever gave. */
  given = [];
  #codes = new Map();
  #access = new Map();
  #refresh = new Map();

  async start() {
    this.server = http.createServer((request, response) => { this.#answer(request, response); });
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }

  /** The provider in a policy. */
  provider(fields = {}) {
    return {
      id: 'slack', type: 'slack-bot', client_id: SLACK_CLIENT.id, client_secret: 'SLACK_CLIENT_SECRET', request_scopes: ['chat:write', 'channels:read'],
      endpoints: { authorization: `${this.origin}/oauth/v2/authorize`, token: `${this.origin}/api/oauth.v2.access`, revocation: `${this.origin}/api/auth.revoke` },
      ...fields,
    };
  }

  /** The person allows it: the URL that the browser comes back to. */
  allow(url) {
    const { searchParams } = new URL(url);
    const code = random('code');
    this.#codes.set(code, { team: this.team, redirectUri: searchParams.get('redirect_uri'), scope: searchParams.get('scope') });
    const back = new URL(searchParams.get('redirect_uri'));
    back.searchParams.set('code', code);
    back.searchParams.set('state', searchParams.get('state'));
    return back;
  }

  count(path) {
    return this.requests.filter((one) => one === path).length;
  }

  /** How often it was asked for fresh tokens. */
  refreshes = 0;

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    let body = '';
    for await (const chunk of request) body += chunk;
    this.requests.push(pathname);
    const answer = (fields, headers = {}) => {
      response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
      response.end(JSON.stringify(fields));
    };
    if (pathname === '/api/oauth.v2.access') return this.#token(new URLSearchParams(body), answer, response);
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const team = this.#access.get(bearer);
    if (team === undefined) return answer({ ok: false, error: 'invalid_auth' });
    if (pathname === '/api/auth.revoke') {
      this.#end(team);
      return answer({ ok: true, revoked: true });
    }
    this.posted.push({ method: request.method, path: request.url, headers: request.headers, body, team });
    if (pathname === '/api/redirects') {
      response.writeHead(302, { Location: `${this.elsewhere}/stolen` });
      return response.end();
    }
    return answer({ ok: true, channel: 'C1', ts: '1.1' }, SAID_TO_BROWSERS);
  }

  #end(team) {
    for (const tokens of [this.#access, this.#refresh]) {
      for (const [token, of] of tokens) if (of === team) tokens.delete(token);
    }
  }

  async #token(form, answer, response) {
    if (form.get('client_id') !== SLACK_CLIENT.id || form.get('client_secret') !== SLACK_CLIENT.secret) return answer({ ok: false, error: 'bad_client_secret' });
    if (form.get('grant_type') === 'refresh_token') {
      this.refreshes += 1;
      const team = this.#refresh.get(form.get('refresh_token'));
      await new Promise((resolve) => { setTimeout(resolve, this.delay); });
      if (this.fault === 'down') { response.writeHead(503); return response.end(); }
      if (team === undefined) return answer({ ok: false, error: 'invalid_refresh_token' });
      // Once: https://docs.slack.dev/authentication/using-token-rotation#refresh
      this.#refresh.delete(form.get('refresh_token'));
      if (this.fault === 'lost') return response.destroy();
      return answer(this.#tokens(team));
    }
    const known = this.#codes.get(form.get('code'));
    this.#codes.delete(form.get('code'));
    if (known === undefined || known.redirectUri !== form.get('redirect_uri')) return answer({ ok: false, error: 'invalid_code' });
    return answer({ ...this.#tokens(known.team), scope: known.scope });
  }

  #tokens(team) {
    const [access, refresh] = [random('xoxe.xoxb'), random('xoxe')];
    this.#access.set(access, team);
    this.given.push(access);
    const rotating = this.rotates ? { refresh_token: refresh, expires_in: LIFE_SECS } : {};
    if (this.rotates) {
      this.#refresh.set(refresh, team);
      this.given.push(refresh);
    }
    return { ok: true, app_id: 'A1', token_type: 'bot', access_token: access, bot_user_id: `U${team.id}`, team, authed_user: { id: 'U1' }, ...rotating };
  }
}
