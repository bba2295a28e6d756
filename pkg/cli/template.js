// What `edgegate init` writes. The policies behind identity providers are those of the guides, which the tests run as they are written.

import guides from 'edgegate:guides';

import { COMPATIBILITY_DATE, KV, OBJECTS, migrations } from './deployed.js';

/** The providers of docs/guides: `{name, title, policy}`. */
export const PROVIDERS = guides;

/** The line that makes editors know the fields of the configuration and of the policy in it. */
const SCHEMA = '#:schema ./node_modules/edgegate/schema/wrangler.schema.json';

/** The user's whole Worker. Classes that later versions add are exported by it too. */
export const ENTRY = `// The gate, as the package edgegate brings it, with its Durable Objects.
export { default } from 'edgegate/worker';
export * from 'edgegate/worker';
`;

/** wrangler.toml with a policy. */
export function wranglerToml({ name, provider, issuer, audience, upstream }) {
  const own = provider === 'none' ? { top: '', rest: ownIssuer() } : ofGuide(provider, { issuer, audience });
  return `${SCHEMA}
# The gate as a Cloudflare Worker. \`npx edgegate dev\` runs it here, \`npx edgegate check\` checks it, \`npx edgegate deploy\` puts it online.
name = ${quoted(name)}
main = "src/index.js"
compatibility_date = "${COMPATIBILITY_DATE}"

# Under which host callers reach the gate. Without a route it is <name>.<account>.workers.dev.
# routes = [{ pattern = "api.example.com", custom_domain = true }]
#
# With a route, and under no other:
# workers_dev = false
# preview_urls = false

${bindings()}
# A Worker of yours behind the gate, in place of \`upstream\`:
# [[services]]
# binding = "UPSTREAM"
# service = "my-api"

[observability]
enabled = true

# ---- The policy. Unknown fields are refused, with their path. The repository's wrangler.toml shows every field with its default. ----
# Secrets are named here, and never stand here: locally they are in .dev.vars.

[vars.POLICY]
${upstream === undefined ? '# upstream = "https://api.example.com"   # where admitted requests go; without it the gate answers itself' : `upstream = ${quoted(upstream)}`}
# cors = { origins = ["https://app.example.com"] }   # the browser applications that may read answers
${own.top}
# API keys, which you give to the callers of your API: npx edgegate keys mint
[vars.POLICY.api_keys]
environment = "live"
prefixes = [{ prefix = "sk" }]
signing_keys = [{ id = 1, secret = "API_KEY_SECRET" }]

# Tokens and keys that are taken back.
[vars.POLICY.revocation]
mode = "entries"                        # entries | snapshot | ledger

# The endpoints below /auth/admin.
[vars.POLICY.admin]
secret = "ADMIN_TOKEN"

[[vars.POLICY.limits]]
name = "per-caller"
by = "caller"
requests = 100
window_secs = 60
algorithm = "sliding-window"            # fixed-window | sliding-window | token-bucket
store = "durable-object"                # exact; memory counts in each isolate alone

${own.rest}`;
}

function bindings() {
  const objects = Object.values(OBJECTS).map(({ binding, class: name }) => `[[durable_objects.bindings]]\nname = "${binding}"\nclass_name = "${name}"\n`);
  const steps = migrations().map(({ tag, classes }) => `[[migrations]]\ntag = "${tag}"\nnew_sqlite_classes = ${JSON.stringify(classes).replaceAll(',', ', ')}\n`);
  return `# API keys and revocations. Without an id, the namespace is created with the first deployment.
[[kv_namespaces]]
binding = "${KV}"

# Exact counters, the ledger of revocations, sessions and their keys. Migrations are never changed: new ones follow.
${[...objects, ...steps].join('\n')}`;
}

/** Without an identity provider the gate issues tokens itself. */
const ownIssuer = () => `# Tokens that the gate itself issues, renews and ends: npx edgegate sessions open
[vars.POLICY.sessions]
issuer = "https://gate.edgegate.local/"   # \`iss\` of these tokens: write the URL of your gate once you have one
audience = ["https://api.example.com"]
secret = "SESSION_SECRET"

# The first route that matches decides.
[[vars.POLICY.routes]]
path = "/public/*"
methods = ["GET"]
auth = "none"

[[vars.POLICY.routes]]
path = "/v1/*"
methods = ["GET"]
scopes = { all = ["read"] }
limits = ["per-caller"]

[[vars.POLICY.routes]]
path = "/v1/*"
scopes = { all = ["write"] }
limits = ["per-caller"]

[[vars.POLICY.routes]]                  # all other paths are closed: nobody has this scope
path = "/*"
scopes = { all = ["nobody"] }
`;

/** The policy of a guide, with the operator's own names where they are known. */
function ofGuide(provider, { issuer, audience }) {
  const { policy } = PROVIDERS.find((one) => one.name === provider);
  let text = policy;
  if (issuer !== undefined) text = withIssuer(text, issuer);
  if (audience !== undefined) text = text.replace(/^audience = \[.*?\]/m, () => `audience = [${quoted(audience)}]`);
  const HEAD = '[vars.POLICY]\n';
  if (!text.startsWith(HEAD)) return { top: '', rest: text };
  const end = text.indexOf('\n[');
  return { top: text.slice(HEAD.length, end), rest: text.slice(end + 1) };
}

/** Where the keys are may be below the issuer, or on its host. */
function withIssuer(text, issuer) {
  const [, known] = /^issuer = "([^"]+)"/m.exec(text);
  const host = (url) => { try { return new URL(url).origin; } catch { return url; } };
  // Functions: in a text `$&` would stand for what is replaced.
  return text.replaceAll(`"${known}"`, () => quoted(issuer)).replaceAll(`"${host(known)}/`, () => `"${host(issuer)}/`).replaceAll(`"${host(known)}"`, () => quoted(host(issuer)));
}

/** A text of TOML, which here is written as in JSON. */
export const quoted = (text) => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

/** What the repository of the project must not have. */
export const IGNORED = ['node_modules/', '.wrangler/', '.dev.vars*', '!.dev.vars.example'];

/** Which secrets there have to be, without any. */
export const varsExample = (names) => `# Copy this file to .dev.vars and write a random value for each name: openssl rand -base64 32
# npx edgegate dev does both. For what is deployed: npx wrangler secret put NAME
${names.map((name) => `${name}=\n`).join('')}`;
