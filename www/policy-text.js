// A policy as somebody has written it, and as it can be tried in a page.

/** JSON with comments and trailing commas, as in wrangler.jsonc, to JSON. Strings stay as they are. */
export const withoutComments = (text) =>
  text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[^]*?\*\//g, (_, string) => string ?? ' ')
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? '');

async function parse(text) {
  if (text.trimStart().startsWith('{')) return JSON.parse(withoutComments(text));
  const toml = await import('./vendor/toml.js');
  try {
    return toml.parse(text);
  } catch (error) {
    throw new SyntaxError(`line ${error.line}: ${error.message.split('\n')[0]}`);
  }
}

/** The policy of a text: TOML or JSON, of the policy alone or of the whole configuration of wrangler. */
export async function readPolicy(text) {
  const document = await parse(text);
  return document.vars?.POLICY ?? document.POLICY ?? document;
}

/** What only the Worker obeys, or what needs more than a page has. */
const ASIDE = ['https', 'hsts', 'security_headers', 'sessions', 'accounts', 'login', 'identity', 'identity_audience', 'jwks_cache', 'dpop'];
const ASIDE_OF_ROUTES = ['revocation', 'identity', 'grant'];
const ASIDE_OF_REVOCATION = ['mode', 'max_staleness_secs', 'refresh_secs'];

function leaveOut(object, names, at, left) {
  for (const name of names) {
    if (!Object.hasOwn(object, name)) continue;
    delete object[name];
    left.push(`${at}${name}`);
  }
}

const objects = (list) => (Array.isArray(list) ? list.filter((one) => typeof one === 'object' && one !== null) : []);

/** A copy that a gate in a page takes, and the fields that are left out of it. Counters are in the page's memory. */
export function forPage(policy) {
  const copy = structuredClone(policy);
  const left = [];
  leaveOut(copy, ASIDE, '', left);
  if (copy.revocation) leaveOut(copy.revocation, ASIDE_OF_REVOCATION, 'revocation.', left);
  objects(copy.routes).forEach((route, index) => leaveOut(route, ASIDE_OF_ROUTES, `routes[${index}].`, left));
  objects(copy.limits).forEach((limit) => {
    if (!['kv', 'binding'].includes(limit.store)) return;
    limit.store = 'durable-object';
    delete limit.binding;
  });
  copy.log = 'all';
  return { policy: copy, left };
}

/** The names of all secrets, wherever the policy has them. */
export function secretNames(policy) {
  const names = new Set();
  const visit = (value) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (name === 'secret' && typeof member === 'string') names.add(member);
      else if (name === 'secrets' && Array.isArray(member)) member.filter((one) => typeof one === 'string').forEach((one) => names.add(one));
      visit(member);
    }
  };
  visit(policy);
  return [...names];
}

const BOTH = `[[issuers]]
issuer = "https://login.example.com/"
audience = ["https://api.example.com"]
algorithms = ["ES256"]
discovery = true

[api_keys]
environment = "live"
prefixes = [{ prefix = "sk" }]
signing_keys = [{ id = 1, secret = "API_KEY_SECRET" }]

[[routes]]                   # the first that matches decides
path = "/public/*"
auth = "none"

[[routes]]
path = "/v1/posts"
methods = ["GET"]
scopes = { all = ["read:posts"] }

[[routes]]
path = "/*"
scopes = { all = ["write:posts"] }
`;

const AUTH0 = `[[issuers]]
issuer = "https://example.eu.auth0.com/"
audience = ["https://api.example.com"]
algorithms = ["RS256"]
discovery = true
scope_claims = ["scope", "permissions"]

[[routes]]
path = "/orgs/{org}/orders"
methods = ["GET"]
claims = { org_id = "{org}" }   # a member of this organisation
scopes = { all = ["read:orders"] }

[[routes]]
path = "/*"
scopes = { all = ["admin"] }
`;

const LIMIT = `[[issuers]]
issuer = "https://login.example.com/"
audience = ["https://api.example.com"]
algorithms = ["EdDSA"]
discovery = true

[[limits]]
name = "three-a-minute"
by = "subject"
requests = 3
window_secs = 60
algorithm = "sliding-window"
store = "memory"

[[routes]]
path = "/v1/*"
limits = ["three-a-minute"]     # ask four times
`;

export const EXAMPLES = {
  both: { policy: BOTH, path: '/v1/posts', claims: { sub: 'alice', scope: 'read:posts' } },
  auth0: { policy: AUTH0, path: '/orgs/org_acme/orders', claims: { sub: 'auth0|507f1f77', org_id: 'org_acme', permissions: ['read:orders'] } },
  limit: { policy: LIMIT, path: '/v1/search', claims: { sub: 'alice' } },
};
