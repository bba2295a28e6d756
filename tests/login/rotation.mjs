// A session secret is changed, as docs/sessions.md has it, while people log in, are logged in, and use grants: the policy lies in KV, a new id is
// added, each session is renewed once, the old id goes.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { forEach, start, until } from '../worker/harness.mjs';
import { GATE, sessionWorker } from '../worker/sessions.mjs';
import { ANN } from '../support/providers/provider.mjs';
import { ORIGIN } from './gate.mjs';
import { ask, isIn, somebody, startWithGrants, uses } from './grants.mjs';

const KEY = 'policy/v1';
const OLD = { id: 1, secret: 'SESSION_SECRET' };
const NEW = { id: 2, secret: 'SESSION_SECRET_2' };
/** An access token has ended by then, for a gate that tolerates a clock that is a minute wrong. */
const ACCESS_SECS = 900 + 120;

export async function rotates({ tokens, people, logins }) {
  let policy;
  const run = async (given) => {
    ({ policy } = given);
    const secrets = { ...given.secrets, SESSION_SECRET_2: randomBytes(32).toString('hex') };
    const gate = await start([sessionWorker({ policy: { source: 'kv', reload_secs: 1 }, secrets })], { secrets });
    await (await gate.mf.getKVNamespace('EDGEGATE_KV', 'gate')).put(KEY, JSON.stringify(policy));
    return gate;
  };
  const gate = await startWithGrants({ run, sessions: { secret: undefined, secrets: [OLD] } });
  try {
    await until(async () => (await gate.gate.get('/auth/health')).json().status === 'ok');
    const world = new World(gate, policy);
    await world.fill({ tokens, people });
    const first = await world.begin(logins);
    await world.take([NEW, OLD]);
    await Promise.all([world.useAll(), world.finish(first)]);
    // Everybody's access token ends, so each session is renewed: by the new secret.
    await gate.sessions.wait(ACCESS_SECS);
    await world.useAll();
    for (const { sub } of world.people) assert.deepEqual(await world.sealedBy(sub), [NEW.id], `the grant of ${sub} was sealed anew`);

    const second = await world.begin(logins);
    await world.take([NEW]);
    await Promise.all([world.useAll(), world.finish(second)]);
    await gate.sessions.wait(ACCESS_SECS);
    await world.useAll();
    for (const { browser } of world.people) assert.ok(isIn(browser));
  } finally {
    await gate.close();
  }
}

class World {
  /** Who has a session: by tokens, and by cookies with a grant. */
  tokens = [];
  people = [];

  constructor(gate, policy) {
    this.gate = gate;
    this.policy = policy;
  }

  async fill({ tokens, people }) {
    await forEach(Array.from({ length: tokens }), async () => { this.tokens.push(await this.gate.sessions.open()); });
    for (let n = 0; n < people; n += 1) this.people.push(await somebody(this.gate, `person-${n}`));
  }

  /** Logins of others, as far as their callbacks. */
  async begin(count) {
    const begun = [];
    for (let n = 0; n < count; n += 1) {
      const browser = this.gate.browser();
      this.gate.providers.corp.user = { ...ANN, sub: `late-${randomBytes(6).toString('hex')}` };
      const answer = await browser.tab().open(`${ORIGIN}/auth/login/corp?return_to=/v1/posts`, { until: ({ url }) => !url.startsWith(ORIGIN) });
      begun.push({ browser, url: answer.headers.location });
    }
    return begun;
  }

  async finish(begun) {
    await forEach(begun, async ({ browser, url }) => {
      const tab = browser.tab();
      await tab.open(url);
      assert.ok(isIn(browser), tab.page.text);
      assert.equal(new URL(tab.url).pathname, '/v1/posts');
    });
  }

  /** Every session is used at once, as its owner would: an access token that has ended is renewed. */
  async useAll() {
    await Promise.all([
      forEach(this.tokens, (one) => this.#use(one)),
      forEach(this.people, async (one) => {
        const page = await ask(one.browser, '/v1/posts');
        assert.equal(page.status, 200, page.text);
        assert.equal(await uses(one), undefined);
      }),
    ]);
  }

  async #use(one) {
    const get = () => this.gate.sessions.get('/v1/posts', { token: one.access_token });
    const answer = await get();
    if (answer.status === 200) return;
    const renewed = await this.gate.sessions.refresh(one.refresh_token);
    assert.equal(renewed.status, 200, `${answer.text} ${renewed.text}`);
    const { accessToken, refreshToken } = renewed.json();
    Object.assign(one, { access_token: accessToken, refresh_token: refreshToken });
    assert.equal((await get()).status, 200);
  }

  /** The gate takes a policy with these secrets, while it is asked. */
  async take(secrets) {
    const { mf } = this.gate.gate;
    const policy = { ...this.policy, sessions: { ...this.policy.sessions, secrets } };
    await (await mf.getKVNamespace('EDGEGATE_KV', 'gate')).put(KEY, JSON.stringify(policy));
    const newest = Math.max(...secrets.map(({ id }) => id));
    const since = Date.now();
    // It reads the policy within a second, when it is asked.
    while (Date.now() - since < 2500) await this.useAll();
    const { refresh_token: text } = await this.gate.sessions.open();
    const [, id] = Buffer.from(text.replace('edgegate_rt_', ''), 'base64url');
    assert.equal(id, newest);
  }

  /** The ids of the secrets that have sealed the tokens of a grant. */
  async sealedBy(sub) {
    const rows = (await this.gate.sessions.object('EDGEGATE_GRANTS', objectName(`corp|${sub}`), 'X-Dump')).text;
    return [...new Set([...rows.matchAll(/\\"by\\":(\d+)/g)].map(([, id]) => Number(id)))];
  }
}

/** As src/grant/seal.rs makes it. */
function objectName(subject) {
  const hash = createHash('sha256');
  for (const part of ['edgegate-grants-v1', GATE, subject]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    hash.update(length).update(part);
  }
  return hash.digest('base64url');
}
