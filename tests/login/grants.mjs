// A gate whose people log in with one provider, whose token a route uses. The clock can be moved.

import { start } from '../worker/harness.mjs';
import { Sessions, sessionWorker } from '../worker/sessions.mjs';
import { ANN } from '../support/providers/provider.mjs';
import { AT, LoginGate, ORIGIN, RT } from './gate.mjs';

/** The route hands the token to the provider itself, which says whose it is. */
export const routesTo = (provider) => [
  { path: '/grant/*', methods: ['GET'], grant: 'corp', upstream: { url: provider.origin, strip_prefix: '/grant' } },
  { path: '/v1/*', scopes: { all: ['read:posts'] } },
];

export async function startWithGrants({ run = ({ policy, secrets }) => start([sessionWorker({ policy, secrets })], { secrets }), ...options } = {}) {
  const gate = await LoginGate.start({ corp: { kind: 'oidc' } }, { changes: ({ corp }) => ({ routes: routesTo(corp) }), run, ...options });
  gate.sessions = new Sessions(gate.gate);
  gate.providers.corp.now = () => Math.floor((Date.now() + gate.sessions.ahead) / 1000);
  return gate;
}

/** Somebody who is logged in: a browser, and the subject. */
export async function somebody(gate, sub) {
  gate.providers.corp.user = { ...ANN, sub };
  const { browser, isIn, seen } = await gate.logIn('corp');
  if (!isIn) throw new Error(seen);
  return { browser, sub };
}

/** A request of a page's script. */
export const ask = (browser, path) => browser.send(`${ORIGIN}${path}`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' });

/** Asks the provider by the grant. Returns what is wrong; `undefined`: nothing. */
export async function uses({ browser, sub }) {
  const answer = await ask(browser, '/grant/userinfo');
  if (answer.status !== 200) return `${answer.status} ${answer.text}`;
  return JSON.parse(answer.text).sub === sub ? undefined : answer.text;
}

/** Whether the browser still has both cookies. */
export const isIn = (browser) => browser.jar.get(AT) !== undefined && browser.jar.get(RT) !== undefined;

/** How often the provider was asked for fresh tokens. */
export const refreshes = (provider) => provider.requests.filter(({ path, form }) => path === provider.kind.paths.token && form.get('grant_type') === 'refresh_token').length;
