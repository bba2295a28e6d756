// The built Worker in workerd as a subject. What its objects store outlives a restart, as it does a deployment.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { SECRETS, closedPort, start, temporaryFolder } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';
import { ORIGIN, home } from './pages.mjs';

/** Another origin that a login may lead back to. */
export const LISTED = 'https://www.example.com';

const provider = (issuer) => ({
  id: 'op', type: 'oidc', title: 'Provider', issuer, client_id: 'app', client_secret: 'OP_CLIENT_SECRET', authentication: 'basic', scopes: { default: ['read:posts'] },
});

/** Without fields that are `undefined`. */
const asWritten = (policy) => JSON.parse(JSON.stringify(policy));

const policyOf = (issuer, upstream, ids, changes) => asWritten(sessionPolicy({
  origin: ORIGIN,
  upstream: `http://127.0.0.1:${upstream}`,
  login: { providers: [provider(issuer)], return_to: [LISTED] },
  routes: [{ path: '/private/*', methods: ['GET'], scopes: { all: ['read:posts'] } }, { path: '/*', methods: ['GET'], auth: 'none' }],
  ...changes,
}, { secret: undefined, secrets: ids.map((id) => ({ id, secret: `SESSION_SECRET_${id}` })) }));

/** The way out of workerd, which trusts the provider's certificate. */
const trusting = (ca) => async (request) => {
  const url = new URL(request.url);
  const body = Buffer.from(await request.arrayBuffer());
  const answer = await new Promise((resolve, reject) => {
    const library = url.protocol === 'https:' ? https : http;
    const sent = library.request(url, { method: request.method, headers: Object.fromEntries(request.headers), ca }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  const hasBody = ![204, 304].includes(answer.statusCode) && request.method !== 'HEAD';
  return new Response(hasBody ? Buffer.concat(chunks) : null, { status: answer.statusCode, headers: Object.entries(answer.headers).map(([name, value]) => [name, `${value}`]) });
};

export const EDGEGATE = {
  name: 'edgegate',
  callback: `${ORIGIN}/auth/callback/op`,
  isInstalled: () => true,
  /** A person opens so many in an hour, and no more. */
  limitsSessions: true,
  /** A log-out is a POST of the page. */
  logOut: (tab) => tab.evaluate(async () => { await fetch('/auth/logout', { method: 'POST' }); }),
  async start({ issuer, clientSecret, authority, changes = {} }) {
    const upstream = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(home('person'))).listen(0, '127.0.0.1');
    await new Promise((resolve) => { upstream.once('listening', resolve); });
    const outboundService = trusting(readFileSync(authority));
    const secrets = { ...SECRETS, OP_CLIENT_SECRET: clientSecret };
    const [port, folder] = [await closedPort(), temporaryFolder()];
    const ids = [];
    const addSecret = () => {
      ids.unshift(ids.length + 1);
      secrets[`SESSION_SECRET_${ids[0]}`] = randomBytes(32).toString('hex');
    };
    addSecret();
    const running = { ahead: 0 };
    const run = async () => {
      const policy = policyOf(issuer, upstream.address().port, ids, changes);
      running.gate = await start([sessionWorker({ policy, secrets, worker: { outboundService, unsafeDirectSockets: [{ host: '127.0.0.1', port }] } })], {
        secrets, shared: { resourcePersistencePath: folder },
      });
      running.sessions = new Sessions(running.gate);
      await running.sessions.wait(running.ahead / 1000);
    };
    await run();
    return {
      running,
      port: () => port,
      async moveClock(millis) {
        await running.sessions.wait((millis - running.ahead) / 1000);
        running.ahead = millis;
      },
      async restart({ rotate = false } = {}) {
        await running.gate.dispose();
        if (rotate) addSecret();
        await run();
      },
      async close() {
        await running.gate.dispose();
        upstream.close();
      },
    };
  },
};
