// A login by each provider, through the built Worker, with what the provider has of its own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { TENANT } from '../support/providers/microsoft.mjs';
import { ANN } from '../support/providers/provider.mjs';
import { AT, BINDING, LoginGate, ORIGIN, RT } from './gate.mjs';

const CORP = { allow: { email_domains: ['corp.example'] } };
const ADMINS = { default: ['read:posts'], groups: { admins: ['write:posts'] } };

let gate;
before(async () => {
  gate = await LoginGate.start({
    oidc: { policy: { ...CORP, scopes: ADMINS } },
    google: { policy: { allow: { email_domains: ['corp.example'], tenants: ['corp.example'] } } },
    'google-bare': { kind: 'google', settings: { bareIssuer: true } },
    github: { policy: { allow: { email_domains: ['corp.example'], organizations: ['acme'], teams: ['acme/core'] } } },
    'github-app': { kind: 'github', settings: { expires: true } },
    slack: { policy: { allow: { tenants: ['T0R7GR'], ...CORP.allow } } },
    microsoft: { policy: { allow: { tenants: [TENANT] } } },
    'microsoft-one': { kind: 'microsoft', settings: { tenant: TENANT, backdated: true } },
    'microsoft-mail': { kind: 'microsoft', policy: CORP },
    'microsoft-groups': { kind: 'microsoft', policy: { scopes: { groups: { 'aaaaaaaa-0000-0000-0000-000000000001': ['write:posts'] } } } },
    apple: { policy: CORP },
    gitlab: { policy: { ...CORP, scopes: { default: [], groups: { inherited: ['write:posts'] } } } },
    discord: { policy: { allow: { ...CORP.allow, organizations: ['197038439483310086'] } } },
    auth0: { policy: { allow: { tenants: ['org_9ybsU1dN2dKfDkBi'] }, groups_claim: 'https://corp.example/roles', scopes: ADMINS } },
    okta: { policy: { ...CORP, request_scopes: ['openid', 'profile', 'email', 'groups'], scopes: ADMINS } },
    keycloak: { policy: { ...CORP, scopes: ADMINS } },
    cognito: { policy: { ...CORP, scopes: ADMINS } },
    'slack-bot': {},
  });
});
after(() => gate.close());

/** The provider's last request at this path. */
const last = (id, path) => gate.providers[id].requests.filter((one) => one.path === path).at(-1);

async function isIn(id, subject, scopes = ['read:posts'], options = {}) {
  const result = await gate.logIn(id, options);
  assert.equal(result.seen, 'in');
  assert.equal(result.session.subject, subject);
  assert.deepEqual([...result.session.scopes].sort(), scopes);
  return result;
}

/** Runs with somebody else signed in at the provider. */
async function as(id, user, run) {
  const provider = gate.providers[id];
  const before = provider.user;
  provider.user = { ...before, ...user };
  try {
    return await run();
  } finally {
    provider.user = before;
  }
}

test('a plain provider: two cookies of a session, one of the binding, and back to the path', async () => {
  const { browser, tab } = await isIn('oidc', `oidc|${ANN.sub}`, ['read:posts', 'write:posts'], { query: '?return_to=/v1/posts%3Fa=b' });
  assert.equal(tab.url, `${ORIGIN}/v1/posts?a=b`);
  assert.deepEqual(browser.jar.all.map(({ name }) => name).sort(), [AT, BINDING, RT].sort());
  assert.deepEqual(tab.trail.flatMap(({ refusedCookies }) => refusedCookies), []);
  assert.ok(browser.jar.all.every((one) => one.isHttpOnly && one.isSecure && one.isHostOnly && one.path === '/' && one.sameSite === 'lax'));
  // It asks the token endpoint once, as the provider wants it, and with the challenge's verifier.
  const token = last('oidc', '/token');
  assert.match(token.headers.authorization, /^Basic /);
  assert.deepEqual([...token.form.keys()].sort(), ['code', 'code_verifier', 'grant_type', 'redirect_uri']);
  const asked = Object.fromEntries(last('oidc', '/authorize').query);
  assert.deepEqual([asked.code_challenge_method, asked.response_type, asked.scope], ['S256', 'code', 'openid profile email']);
  assert.ok(asked.nonce.length >= 43 && asked.state.length <= 4096);
  // The ID token says all that the rules ask about.
  assert.equal(gate.providers.oidc.count('/userinfo'), 0);
});

test('google: hosted domain and address; either spelling of the issuer; unknown parameters of its callback', async () => {
  const { tab } = await isIn('google', 'google|10769150350006150715113082367');
  assert.ok(tab.trail.some(({ url }) => url.includes('authuser=0') && url.includes('hd=corp.example')));
  await isIn('google-bare', 'google-bare|10769150350006150715113082367');
  // A consumer's account may have an address of the domain.
  await as('google', { hd: undefined }, async () => assert.match((await gate.logIn('google')).seen, /^403 NOT_ALLOWED/));
  await as('google', { email_verified: false }, async () => assert.match((await gate.logIn('google')).seen, /^403 NOT_ALLOWED/));
});

test('github: addresses, organisations and teams are asked for, with the scopes that needs', async () => {
  await isIn('github', 'github|583231');
  assert.equal(last('github', '/login/oauth/authorize').query.get('scope'), 'read:user user:email read:org');
  assert.equal(last('github', '/user').headers['user-agent'], 'edgegate');
  assert.equal(last('github', '/login/oauth/access_token').headers.accept, 'application/json');
  await isIn('github-app', 'github-app|583231');
  assert.equal(gate.providers['github-app'].count('/user/emails'), 0, 'nothing is asked that no rule needs');
  const stranger = { emails: [{ email: 'x@corp.example', primary: true, verified: false }] };
  await as('github', stranger, async () => assert.match((await gate.logIn('github')).seen, /^403 NOT_ALLOWED/));
  await as('github', { organizations: ['other'] }, async () => assert.match((await gate.logIn('github')).seen, /^403 NOT_ALLOWED/));
  await as('github', { teams: [['Evil', 'core']] }, async () => assert.match((await gate.logIn('github')).seen, /^403 NOT_ALLOWED/));
});

test('github: an error with status 200 is one', async () => {
  const { github } = gate.providers;
  const { secret } = github.client;
  github.client.secret = 'another secret';
  try {
    assert.match((await gate.logIn('github')).seen, /^500 CONFIG_ERROR: provider github refuses the gate/);
  } finally {
    github.client.secret = secret;
  }
});

test('slack: the user of a workspace, not the number alone', async () => {
  await isIn('slack', 'slack|T0R7GR.U0R7MFMJM');
  await as('slack', { team: 'T999' }, async () => assert.match((await gate.logIn('slack')).seen, /^403 NOT_ALLOWED/));
});

test('microsoft: one issuer for each tenant; an address is not verified; more groups than fit are none', async () => {
  const subject = `${TENANT}.00000000-0000-0000-66f3-3332eca7ea81`;
  await isIn('microsoft', `microsoft|${subject}`);
  await isIn('microsoft-one', `microsoft-one|${subject}`);
  await as('microsoft', { tid: '99999999-2222-3333-4444-555555555555' }, async () => assert.match((await gate.logIn('microsoft')).seen, /^403 NOT_ALLOWED/));
  // nOAuth: whoever administers a tenant writes any address.
  assert.match((await gate.logIn('microsoft-mail')).seen, /^403 NOT_ALLOWED/);
  await isIn('microsoft-groups', `microsoft-groups|${subject}`, ['write:posts']);
  const groups = [...Array.from({ length: 200 }, (_, index) => `group-${index}`), 'aaaaaaaa-0000-0000-0000-000000000001'];
  await as('microsoft-groups', { groups }, () => isIn('microsoft-groups', `microsoft-groups|${subject}`, []));
});

test('microsoft: a token whose tid is not the tenant of its issuer', async () => {
  const { microsoft } = gate.providers;
  microsoft.tamper.idToken = (token) => ({ ...token, claims: { ...token.claims, tid: '99999999-2222-3333-4444-555555555555' } });
  try {
    assert.notEqual((await gate.logIn('microsoft')).seen, 'in');
  } finally {
    microsoft.tamper = {};
  }
});

test('apple: a form of another site, a secret that is signed, a name that comes once', async () => {
  const { tab } = await isIn('apple', `apple|${gate.providers.apple.user.sub}`);
  const [post, ...rest] = tab.trail;
  assert.deepEqual([post.method, post.status, post.sent.Cookie], ['POST', 303, undefined]);
  assert.equal(new URL(rest[0].url).pathname, '/auth/callback/apple');
  assert.doesNotMatch(rest[0].url, /[?&]code=/);
  assert.deepEqual([...last('apple', '/auth/token').form.keys()].sort(), ['client_id', 'client_secret', 'code', 'code_verifier', 'grant_type', 'redirect_uri']);
  await isIn('apple', `apple|${gate.providers.apple.user.sub}`);
});

test('gitlab: groups that one is in through others are at the userinfo endpoint', async () => {
  await isIn('gitlab', `gitlab|${ANN.sub}`, ['write:posts']);
});

test('discord: a number that no double holds, and servers with the scope that needs', async () => {
  await isIn('discord', 'discord|80351110224678912');
  assert.equal(last('discord', '/oauth2/authorize').query.get('scope'), 'identify email guilds');
  await as('discord', { verified: false }, async () => assert.match((await gate.logIn('discord')).seen, /^403 NOT_ALLOWED/));
  await as('discord', { guilds: ['1'] }, async () => assert.match((await gate.logIn('discord')).seen, /^403 NOT_ALLOWED/));
});

test('auth0: a slash at the end of the issuer, the secret in the form, roles in a claim with a namespace', async () => {
  await isIn('auth0', 'auth0|auth0|5f7c8ec7c33c6c004bbafe82', ['read:posts', 'write:posts']);
});

test('okta, keycloak, cognito: groups where each has them', async () => {
  await isIn('okta', 'okta|00uid4BxXw6I6TV4m0g3', ['read:posts', 'write:posts']);
  await isIn('keycloak', `keycloak|${ANN.sub}`, ['read:posts', 'write:posts']);
  await isIn('cognito', `cognito|${ANN.sub}`, ['read:posts', 'write:posts']);
});

test('a bot is no way in', async () => {
  assert.equal((await gate.logIn('slack-bot')).status, 404);
  const tab = gate.browser().tab();
  await tab.open(`${ORIGIN}/auth/login?return_to=/v1/posts`);
  assert.equal(tab.page.status, 200);
  const ids = [...tab.page.text.matchAll(/formaction="\/auth\/login\/([\w-]+)"/g)].map(([, id]) => id);
  assert.deepEqual(ids, Object.keys(gate.providers).filter((id) => id !== 'slack-bot'));
  await tab.submit({ remember: 'true' }, { button: '/auth/login/okta' });
  assert.equal(tab.url, `${ORIGIN}/v1/posts`);
});

test('clocks may be two minutes apart', async () => {
  const clock = () => Math.floor(Date.now() / 1000);
  for (const id of ['oidc', 'microsoft-one']) {
    const provider = gate.providers[id];
    for (const [secs, expected] of [[110, true], [-110, true], [1000, false], [-1000, false]]) {
      provider.now = () => clock() + secs;
      const { isIn, seen } = await gate.logIn(id);
      assert.equal(isIn, expected, `${id}, ${secs} s: ${seen}`);
    }
    provider.now = clock;
  }
});

test('where the cookies are Strict, a page of this site moves on', async () => {
  const strict = await LoginGate.start({ oidc: { policy: CORP } }, { sessions: { same_site: 'Strict' } });
  try {
    const { browser, tab, isIn } = await strict.logIn('oidc', { query: '?return_to=/v1/posts' });
    assert.ok(isIn);
    assert.equal(browser.jar.get(AT).sameSite, 'strict');
    assert.equal(browser.jar.get(BINDING).sameSite, 'lax');
    assert.equal(tab.page.status, 200);
    assert.match(tab.page.text, /\/v1\/posts/);
    await tab.click('/v1/posts');
    assert.equal(tab.page.status, 200, tab.page.text);
  } finally {
    await strict.close();
  }
});

test('the same address at two providers is two people', async () => {
  const browser = gate.browser();
  const first = await gate.logIn('oidc', { browser });
  const second = await gate.logIn('keycloak', { browser });
  assert.notEqual(first.session.subject, second.session.subject);
});
