// The page for callers of an API, made from its policy: what is on it, what never is, and that it is true.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { callersPage } from '../../pkg/cli/docs.js';
import { REFUSALS } from '../../pkg/cli/refusals.js';
import { createGate, memoryStore } from '../../pkg/wasm/node.js';

/** What only the operator knows: each of these words is somewhere in the policy, and nowhere on the page. */
const PRIVATE = [
  'API_KEY_SECRET', 'SESSION_SECRET', 'ADMIN_TOKEN', 'JWKS_CACHE_SECRET', 'BATCH_CLIENT_SECRET', 'origin.internal', 'POSTS_SERVICE', '198.51.100', 'jwks-host', 'secret-client',
  '/internal', 'MY_LIMITER', 'vip-subject', 'X-Internal-Org', 'token_use', 'pages.internal', 'gone-body', 'acme-only', 'tenant-1111',
];

const POLICY = {
  upstream: 'https://origin.internal.example',
  origin: 'https://api.example.com',
  https: 'refuse',
  cookie: 'session',
  cors: { origins: ['https://pages.internal'] },
  client_ip_header: 'X-Real',
  identity_headers: { 'X-Internal-Org': 'org_id' },
  scope_includes: { 'admin:posts': ['read:posts', 'write:posts'] },
  jwks_cache: { secret: 'JWKS_CACHE_SECRET' },
  issuers: [
    {
      issuer: 'https://login.example.com/', audience: ['https://api.example.com'], algorithms: ['RS256'], jwks_uri: 'https://jwks-host.example/keys',
      required_claims: ['sub'], claims: { token_use: 'access' }, scope_claims: ['scope', 'permissions'], max_auth_age_secs: 900, dpop: 'required',
    },
    { issuer: 'https://{tenant}.login.example/', tenants: ['tenant-1111'], audience: ['c1'], audience_claim: 'client_id', algorithms: ['ES256'], jwks_uri: 'https://jwks-host.example/2' },
  ],
  api_keys: {
    header: 'X-Service-Key', environment: 'live', prefixes: [{ prefix: 'sk' }, { prefix: 'pk', scopes: ['read:posts'] }, { prefix: 'old', format: 'imported' }],
    signing_keys: [{ id: 1, secret: 'API_KEY_SECRET' }],
  },
  revocation: { mode: 'entries' },
  admin: { secret: 'ADMIN_TOKEN' },
  sessions: {
    issuer: 'https://api.example.com/', audience: ['https://api.example.com'], secret: 'SESSION_SECRET', cookies: true, keys: 'SESSION_KEYS',
    clients: [{ id: 'secret-client', secret: 'BATCH_CLIENT_SECRET', grants: ['client_credentials'], scopes: ['read:posts'] }],
  },
  limits: [
    { name: 'per-caller', requests: 100, window_secs: 60, algorithm: 'sliding-window', store: 'memory', exempt: { subjects: ['vip-subject'], ips: ['198.51.100.0/24'] } },
    { name: 'daily', by: ['api_key', 'route'], requests: 5000, window: 'day', store: 'binding', binding: 'MY_LIMITER' },
    { name: 'unused', requests: 1, window_secs: 7, store: 'memory' },
  ],
  routes: [
    { path: '/public/*', methods: ['GET'], auth: 'none' },
    { path: '/internal/*', ips: ['198.51.100.0/24'] },
    { path: '/old', answer: { status: 410, body: 'gone-body' } },
    { path: '/orgs/{org}/posts', methods: ['GET'], scopes: { all: ['read:posts'] }, claims: { org_id: '{org}', plan: 'acme-only' }, limits: ['per-caller'] },
    { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'], any: ['a', 'b'] }, accept: ['api_key'], limits: ['per-caller', 'daily'], cost: 5, upstream: { service: 'POSTS_SERVICE' } },
  ],
};

const page = (policy = POLICY, options = {}) => callersPage(policy, options);

describe('the page says', () => {
  const { markdown, html } = page(POLICY, { title: 'The posts API' });
  for (const [what, expected] of [
    ['its title and where the API is', /^# The posts API\n\nThe API is at `https:\/\/api\.example\.com`/],
    ['how to send a key, in its own header', /\| an API key \| `X-Service-Key: <key>` \|/],
    ['how to send a token', /\| an access token \| `Authorization: Bearer <token>` \|/],
    ['a command with a path that exists', /curl -H "X-Service-Key: \$API_KEY" 'https:\/\/api\.example\.com\/orgs\/1\/posts'/],
    ['what keys look like and may do', /\| `pk_live_…` \| `read:posts` \|/],
    ['how to rotate a key', /### Rotate a key\n\n- Ask for a successor/],
    ['the issuers, audiences and algorithms', /\| `https:\/\/login\.example\.com\/` \| `https:\/\/api\.example\.com` \| `RS256` \| until exp \|/],
    ['an audience in another claim', /\| `client_id`: `c1` \|/],
    ['claims that have to be there', /\| `sub` \| has to be there \|/],
    ['where scopes come from', /\| `scope`, `permissions`, `scp` \| what the token may do/],
    ['that a token has to be bound', /Tokens of `https:\/\/login\.example\.com\/` have to be bound to a key of yours/],
    ['how to renew', /'https:\/\/api\.example\.com\/auth\/refresh'/],
    ['how machines get tokens', /grant_type=client_credentials/],
    ['what each path needs', /\| POST \| `\/v1\/posts` \| `write:posts`; one of `a`, `b`, with an API key \|/],
    ['that a part of the path is a claim', /`read:posts`; `\{org\}` is your `org_id` \|/],
    ['which scopes include others', /- `admin:posts` includes `read:posts`, `write:posts`\./],
    ['the limits', /\| `per-caller` \| 100 in each minute, for each caller \| `\/orgs\/\{org\}\/posts`, `\/v1\/posts` \(counts 5\) \|/],
    ['a quota by the calendar', /\| `daily` \| 5000 in each calendar day, in UTC, for each API key and path \|/],
    ['the codes with their hints', /\| `RATE_LIMITED` \| 429 \| Too many requests \| Wait as many seconds as Retry-After says, then try again \|/],
    ['good practice', /## Good practice\n\n- Keep credentials in a secret manager/],
  ]) {
    test(what, () => assert.match(markdown, expected));
  }

  test('the same in HTML, with a list of its parts', () => {
    for (const part of ['Authenticate', 'API keys', 'Access tokens', 'Scopes', 'Limits', 'Errors', 'Good practice']) {
      const id = part.toLowerCase().replace(' ', '-');
      assert.ok(html.includes(`<a href="#${id}">${part}</a>`) && html.includes(`<h2 id="${id}">`), part);
    }
    assert.match(html, /<code>X-Service-Key: &lt;key&gt;<\/code>/);
    assert.match(html, /default-src 'none'/);
  });

  test('each code that a caller can get, and no other', () => {
    const told = [...markdown.matchAll(/^\| `([A-Z_]+)` \| \d/gm)].map(([, code]) => code);
    // Those of the gate's own endpoints, and those of logins and grants, which this policy has not.
    const others = ['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'CONFIG_ERROR', 'TOO_MANY_ATTEMPTS', 'INVALID_CREDENTIALS', 'MFA_REQUIRED', 'MFA_SETUP_REQUIRED', 'LOGIN_REQUIRED', 'CONNECT_REQUIRED'];
    assert.deepEqual(told, Object.keys(REFUSALS).filter((code) => !others.includes(code)));
  });

  test('nothing that only the operator knows', () => {
    for (const word of PRIVATE) {
      assert.ok(JSON.stringify(POLICY).includes(word), `${word} is in the policy`);
      assert.ok(!markdown.includes(word) && !html.includes(word), word);
    }
    assert.ok(!markdown.includes('unused'), 'a limit that no route names');
  });
});

/** Without the hints that name both kinds of credentials, as the API gives them. */
const ownWords = ({ markdown }) => markdown.replace(/^\| `(MISSING|MULTIPLE)_CREDENTIALS`.*$/gm, '');

describe('a smaller policy has a shorter page', () => {
  test('API keys alone: nothing of tokens', () => {
    const markdown = ownWords(page({ api_keys: { environment: 'test', prefixes: [{ prefix: 'sk' }], signing_keys: [] } }));
    assert.doesNotMatch(markdown, /token|TOKEN|CSRF|HTTPS/);
    assert.match(markdown, /X-API-Key/);
  });

  test('tokens alone: nothing of keys', () => {
    const markdown = ownWords(page({ issuers: [{ issuer: 'https://a.example/', audience: ['b'], discovery: true }] }));
    assert.doesNotMatch(markdown, /API key|API_KEY|ENVIRONMENT/);
  });

  test('keys that no route takes are not told', () => {
    const markdown = ownWords(page({ ...POLICY, routes: [{ path: '/*', accept: ['jwt'] }] }));
    assert.doesNotMatch(markdown, /X-Service-Key|sk_live/);
  });

  test('issuers, scopes and prefixes of keys that only hidden routes take are not told', () => {
    const issuer = (name) => ({ issuer: `https://${name}.test/`, audience: [name], algorithms: ['RS256'], jwks_uri: 'https://x.test/' });
    const policy = {
      issuers: [issuer('customers'), issuer('staff')],
      sessions: { issuer: 'https://sessions.test/', audience: ['a'], secret: 'S' },
      scope_includes: { admin: ['editor', 'staff:all'], editor: ['read'], 'staff:all': ['staff:keys'] },
      api_keys: { environment: 'live', prefixes: [{ prefix: 'pk', scopes: ['read', 'staff:keys'] }, { prefix: 'staffkey', scopes: ['staff:keys'] }, { prefix: 'sk' }], signing_keys: [] },
      routes: [
        { path: '/staff/*', ips: ['198.51.100.0/24'], issuers: ['https://staff.test/'], scopes: { any: ['staff:keys', 'staff:all'] } },
        { path: '/posts', accept: ['jwt'], issuers: ['https://customers.test/'], scopes: { all: ['read'] } },
        { path: '/more', accept: ['api_key'], scopes: { all: ['read'] } },
      ],
    };
    const { markdown, html } = page(policy);
    for (const text of [markdown, html]) assert.doesNotMatch(text, /staff|sessions\.test/);
    for (const told of [/customers\.test/, /`pk_live_…` \| `read`/, /`sk_live_…`/, /`admin` includes `editor`\./, /`editor` includes `read`\./]) assert.match(markdown, told);
    const keys = ownWords(page({ ...policy, routes: policy.routes.slice(0, 2) }));
    assert.doesNotMatch(keys, /X-API-Key|sk_live/);
  });

  test('an open API', () => assert.match(page({ routes: [{ path: '/*', auth: 'none' }] }).markdown, /Requests need no credential/));
});

describe('the words of the operator', () => {
  const words = { introduction: 'Hello.\n\nSecond paragraph.', keys: 'Write to us.', tokens: 'By login.', limits: 'Be kind.', support: 'help@example.com' };
  test('stand in their places', () => {
    const { markdown } = page(POLICY, { words });
    assert.match(markdown, /Hello\.\n\nSecond paragraph\.\n\nThe API is at/);
    assert.match(markdown, /### Get a key\n\nWrite to us\./);
    assert.match(markdown, /## Help\n\nhelp@example\.com/);
  });

  test('places and options that do not exist are told', () => {
    assert.throws(() => page(POLICY, { words: { keyz: '' } }), /keyz is not a place for words, expected one of introduction, keys/);
    assert.throws(() => page(POLICY, { base: '' }), /base is not an option/);
    assert.throws(() => page([]), /expected an object/);
  });

  test('become text, whatever they are', () => {
    const evil = '<script>alert(1)</script> [x](javascript:alert(1)) `code` | cell\n# heading\n- item &amp; ![i](//e)';
    const { markdown, html } = page({
      routes: [{ path: "/a'|`<b>\n# x\u202e/*", scopes: { all: ['s`|<i>'] }, methods: ['GET'] }],
      api_keys: { header: 'X-Key";id', environment: 'e', prefixes: [{ prefix: '"><img src=x>' }] },
    }, { title: evil, baseUrl: "https://x/'; rm -rf ~ #", words: { introduction: evil } });
    assert.doesNotMatch(html.replace(/<style>[^]*?<\/style>/, ''), /<script|<img|<b>|<i>|javascript:alert\(1\)"/);
    assert.doesNotMatch(markdown, /(^|[^\\])<script|(^|[^\\])\[x\]/m);
    assert.equal(markdown.match(/^# /gm).length, 1);
    assert.ok(!markdown.includes('\u202e') && !html.includes('\u202e'));
    assert.match(markdown, /curl -H "X-Keyid: \$API_KEY" 'https:\/\/x\/'\\''; rm -rf ~ #/);
  });
});

test('a text that begins as an item of a list stays a text', () => {
  const { markdown } = page(POLICY, { words: { support: '1. Write to us.\n\n2) Or call.\n\n- Or wait.\n\n=' } });
  assert.match(markdown, /\n1\\\. Write to us\.\n\n2\\\) Or call\.\n\n\\- Or wait\.\n\n\\=\n/);
});

test('it takes JSON, and changes nothing of the policy', () => {
  const before = JSON.stringify(POLICY);
  assert.deepEqual(page(before), page());
  assert.equal(JSON.stringify(POLICY), before);
});

test('refusals of a gate are those of the page', async () => {
  const policy = {
    issuers: [{ issuer: 'https://a.example/', audience: ['b'], algorithms: ['HS256'], secret: 'S' }],
    api_keys: { header: 'X-Service-Key', environment: 'live', prefixes: [{ prefix: 'sk' }], signing_keys: [{ id: 1, secret: 'K' }] },
    routes: [{ path: '/*', scopes: { all: ['read:posts'] } }],
  };
  const gate = createGate(policy, { secrets: { S: 's'.repeat(32), K: 'k'.repeat(32) }, stores: { keys: memoryStore() } });
  const { key } = await gate.keys.mint({ name: 'n', owner: 'o', scopes: [], expiresInSecs: 60 });
  const { markdown } = page(policy);
  for (const headers of [{}, { authorization: 'Bearer x' }, { 'x-service-key': 'sk_live_1' }, { 'x-service-key': key }, { authorization: 'Bearer x', 'x-service-key': key }]) {
    const { status, body } = await gate.check({ method: 'GET', url: '/', headers }, { clientIp: '203.0.113.1' });
    const { code, error, hint } = JSON.parse(body);
    const [, told] = new RegExp(`^\\| \`${code}\` \\| ${status} \\| ${error} \\| (.*) \\|$`, 'm').exec(markdown) ?? [];
    assert.ok(told !== undefined, code);
    assert.ok(hint.startsWith(told.replaceAll('\\', '')), `${code}: ${hint}`);
  }
});
