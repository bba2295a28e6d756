// The built Worker with providers of these tests, and browsers that log in by it.

import { SECRETS, startGate } from '../worker/harness.mjs';
import { AT, RT, sessionPolicy } from '../worker/sessions.mjs';
import { startProvider } from '../support/providers/index.mjs';
import { CALLBACK } from '../support/providers/provider.mjs';
import { Browser } from './browser.mjs';

export const ORIGIN = 'https://api.example.com';
export const BINDING = '__Host-edgegate-b';
export { AT, RT };

/** What a policy says of this provider, under this name. */
function entryOf(provider, id, more) {
  const { kind, client } = provider;
  const secret = kind.name === 'apple'
    ? { team_id: client.teamId, key_id: client.keyId, private_key: secretName(id) }
    : { client_secret: secretName(id) };
  const { authorization, token, userinfo } = kind.paths;
  const endpoints = {
    authorization: provider.url('authorization'), token: provider.url('token'), ...(userinfo && { userinfo: provider.url('userinfo') }),
  };
  const place = kind.hasIdToken ? { issuer: provider.issuer } : { endpoints };
  return { id, type: kind.name, client_id: client.id, ...secret, ...place, allow_http: true, scopes: { default: ['read:posts'] }, ...more };
}

const secretName = (id) => `CLIENT_SECRET_${id.toUpperCase().replace(/\W/g, '_')}`;

const secretOf = ({ client }) => client.privateKey?.export({ format: 'pem', type: 'pkcs8' }) ?? client.secret;

let lastAddress = 0;

/** A gate whose people log in with these providers. */
export class LoginGate {
  /**
   * `wanted` has for each provider its name in the policy and `{ kind, policy, settings }`: which provider it is (by default the one of that
   * name), what the policy says of it beside, and how the provider is set. `changes` are fields of the whole policy, or make them of the
   * providers; `run` starts the gate.
   */
  static async start(wanted, { changes = {}, login = {}, sessions = {}, run = startGate } = {}) {
    const providers = {};
    for (const [id, { kind = id, settings }] of Object.entries(wanted)) {
      providers[id] = await startProvider(kind, { settings, client: { redirectUris: [`${CALLBACK}/${id}`] } });
    }
    const entries = Object.entries(wanted).map(([id, { policy }]) => entryOf(providers[id], id, policy));
    const own = Object.entries(providers).map(([id, provider]) => [secretName(id), secretOf(provider)]);
    const secrets = { ...SECRETS, ...Object.fromEntries(own) };
    const more = typeof changes === 'function' ? changes(providers) : changes;
    const policy = sessionPolicy({ login: { providers: entries, ...login }, ...more }, sessions);
    return new LoginGate(await run({ policy, secrets }), providers);
  }

  constructor(gate, providers) {
    this.gate = gate;
    this.providers = providers;
  }

  async close() {
    try {
      await this.gate.dispose();
    } finally {
      for (const provider of Object.values(this.providers)) await provider.close();
    }
  }

  /** A browser at an address of its own. */
  browser(options = {}) {
    lastAddress += 1;
    const ip = `10.77.${lastAddress >> 8}.${lastAddress & 255}`;
    return new Browser({ hosts: { [ORIGIN]: this.gate.port(), ...options.hosts }, ip, ...options });
  }

  /** Logs in in a tab of this browser, by the way of a person. Returns what came of it. */
  async logIn(id, { browser = this.browser(), query = '', tab = browser.tab(), ...options } = {}) {
    const from = this.gate.output.lines.length;
    // A provider on loopback may break the form up only if its page does: so forms are sent until there is none.
    await tab.open(`${ORIGIN}/auth/login/${id}${query}`, options);
    for (let count = 0; count < 5 && isAutomatic(tab.page); count += 1) await tab.submit();
    return { browser, tab, ...(await this.outcome(browser, tab, from)) };
  }

  /** What came of a login: `isIn`, the session, and the code of the page that stands there in its place. */
  async outcome(browser, tab, from = 0) {
    const isIn = browser.jar.get(AT) !== undefined && browser.jar.get(RT) !== undefined;
    const session = isIn ? JSON.parse((await browser.send(`${ORIGIN}/auth/session`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' })).text) : undefined;
    const { status, url } = tab.page;
    return { isIn, session, status, url, seen: isIn ? 'in' : await this.#reason(from, status) };
  }

  /** Why the gate let nobody in, as its log has it. */
  async #reason(from, status) {
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    const events = this.gate.output.lines.slice(from).map(eventOf).filter((event) => event?.code);
    const last = events.at(-1);
    return last ? `${status} ${last.code}${last.detail ? `: ${last.detail}` : ''}` : `${status}`;
  }

  /** The events of the log. */
  get events() {
    return this.gate.output.lines.map(eventOf).filter(Boolean);
  }
}

function eventOf(line) {
  try {
    return JSON.parse(line.slice(line.indexOf('{')));
  } catch {
    return undefined;
  }
}

/** Whether a page sends itself: a form that needs no click. */
const isAutomatic = ({ text }) => /onload="document\.forms\[0\]\.submit\(\)"/.test(text);
