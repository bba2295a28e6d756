// The built Worker in workerd as a subject. What its objects store outlives a restart, as it does a deployment.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

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
    // The way out of workerd trusts the provider's certificate.
    const outboundService = { network: { allow: ['public', 'private'], tlsOptions: { trustedCertificates: [readFileSync(authority, 'utf8')] } } };
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
        secrets, shared: { durableObjectsPersist: folder },
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
