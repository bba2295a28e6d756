// What the Worker's module consists of, by what the code is for: bytes by section of the gate, from the names of its functions
// (`build/names/`). `node benches/sizes.mjs --sections` prints it.
//
// A function counts for the type or the module that its name says first. Code of the standard library that does not say for whom it was
// made stands apart, and inlined code counts for the function that it ended up in. gzip compresses each section by itself: in the whole
// module it finds a little more.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { partsOf } from './crates.mjs';

const MODULE = fileURLToPath(new URL('../../build/names/index_bg.wasm', import.meta.url));

/** A pattern is for paths in the library or in the Worker. Of two that fit, the first counts. */
const SECTIONS = [
  ['logins', /^(login|logins|guard::login|http::login_endpoints|endpoints::login)\b/],
  ['sessions', /^(session|sessions|session_\w+|guard::session|guard::cookies|http::session_endpoints|store::sessions|store::key_ring)\b/],
  ['sessions', /^(endpoints::session|endpoints::authorization_server|endpoints::admin::sessions|objects::session\w*|objects::key_ring\w*)\b/],
  ['accounts', /^(account|accounts|guard::accounts|endpoints::account|endpoints::admin::accounts|objects::login\w*)\b/],
  ['the audit', /^(watch::audit\w*|audit|endpoints::admin::audit\w*|objects::audit\w*)\b/],
  ['hashes of passwords', /^(argon2|blake2|bcrypt|blowfish|scrypt|salsa20|pbkdf2|md5)\b/],
  ['grants', /^(grant|grants|guard::grants|store::grants|endpoints::admin::grants|objects::grant\w*)\b/],
  ['the watch', /^(watch|event_log|guard::event|guard::watched|endpoints::admin::watch|endpoints::metrics|objects::watch\w*)\b/],
  ['the explanation', /^(http::explain|guard::only_read|endpoints::admin::explain)\b/],
  ['revocation', /^(revocation|revocations|guard::revocation|guard::administration::revocations|store::memory_ledger)\b/],
  ['revocation', /^(endpoints::admin::revocations|objects::ledger\w*|objects::RevocationLedger)\b/],
  ['API keys', /^(api_key|guard::api_key|guard::administration::keys|endpoints::admin::keys)\b/],
  ['the policy, read and checked', /^policy\b/],
  ['limits', /^(limit|counters|rate_limit_binding|guard::limits|store::limit_stores|store::memory|kv::counters|objects::counter)\b/],
  ['tokens and their keys', /^(jose|web_crypto|fetch_jwks|replays|guard::token|guard::signatures|guard::proof|store::published)\b/],
  ['pages', /^page\b/],
  ['JSON', /^(json|serde\w*)\b/],
  ['a request and its answer', /^(guard|http|proxy|plan|host|request|reply|call|endpoints|fetch|gate|isolate|headers|error|client_address)\b/],
  ['stores', /^(store|kv|objects)\b/],
  ['digests and signatures', /^(sha\d|digest|hmac|block_buffer|curve25519_dalek|ed25519\w*|base64ct|der|spki|subtle|jwt_compact|zeroize)\b/],
  ['what calls JavaScript', /^(worker\w*|js_sys|web_sys|wasm_bindgen\w*|futures_\w+|slab)\b/],
  ['the standard library', /^(core|alloc|std|hashbrown|dlmalloc|compiler_builtins|str|char)\b/],
];
const OWN = 'the rest of the gate';
const REST = 'other';

/** For whom a function was made: the path of the first type or module of the gate in its name, else of the first crate. */
export function ownerOf(name) {
  const plain = name.replaceAll(/\[[0-9a-f]{16}\]/g, '');
  const own = /\bedgegate(_worker)?::((\w+)(::\w+)*)/.exec(plain);
  if (own !== null) return own[2];
  return /\b(\w+)::/.exec(plain)?.[1] ?? plain;
}

export function sectionOf(name) {
  const owner = ownerOf(name);
  const found = SECTIONS.find(([, pattern]) => pattern.test(owner));
  if (found !== undefined) return found[0];
  return /\bedgegate(_worker)?::/.test(name) ? OWN : REST;
}

const share = (name, parts) => {
  const bytes = Buffer.concat(parts);
  return { name, functions: parts.length, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
};

/** The sections of the built Worker's module, the largest first, then its data. */
export function bytesBySection() {
  if (!existsSync(MODULE)) throw new Error('build/names/ is missing: cargo xtask build --worker');
  const { functions, data } = partsOf(readFileSync(MODULE));
  const sections = new Map();
  for (const { name, code } of functions) {
    const section = sectionOf(name);
    sections.set(section, [...(sections.get(section) ?? []), code]);
  }
  const shares = [...sections].map(([name, parts]) => share(name, parts)).sort((a, b) => b.gzip - a.gzip);
  return [...shares, { ...share('data: texts and tables', [data]), functions: 0 }];
}
