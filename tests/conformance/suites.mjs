// The conformance suites, for any runtime. Each takes the package and data, and returns its counts and faults.
//
// They use only what every runtime has. A suite does not stop at the first fault, but lists all.

const decoder = new TextDecoder();

const bytesOf = (base64url) =>
  Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));

/** Returns the result of a promise or call: `{value}`, or `{refusal}` as plain facts. Any other error is a fault. */
async function outcome(EdgegateError, call) {
  try {
    return { value: await call() };
  } catch (error) {
    if (!(error instanceof EdgegateError)) return { refusal: { code: 'NO_EDGEGATE_ERROR', message: `${error?.stack ?? error}` } };
    const facts = { code: error.code, reason: error.reason, message: error.message, claim: error.claim, path: error.path };
    return { refusal: JSON.parse(JSON.stringify(facts)) };
  }
}

/** Ignores the order of members. */
const canonical = (value) => JSON.stringify(value, (_, member) =>
  (typeof member === 'object' && member !== null && !Array.isArray(member)
    ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member));

/** The message without the name of the option, which Rust does not have. */
const plain = ({ message, path }) => (path && message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message);

const HMAC = [['HS256', 32], ['HS384', 48], ['HS512', 64]];

/** The algorithms that a key without `alg` can serve. Empty if the package finds out by itself. */
function algorithmsOf(jwk) {
  const keys = jwk.keys ?? [jwk];
  if (keys.every(({ alg, kty }) => alg !== undefined || kty === 'EC' || kty === 'OKP')) return undefined;
  const served = (key) => {
    if (key.alg !== undefined) return [key.alg];
    if (key.kty === 'RSA') return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
    const length = bytesOf(key.k).length;
    return HMAC.filter(([, least]) => length >= least).map(([name]) => name);
  };
  return [...new Set(keys.flatMap(served))];
}

/**
 * A file of Project Wycheproof. Each vector has the result that the file says, or is listed with another result. A listed vector with the
 * file's result is a fault too.
 */
export async function wycheproof({ verifyJws, EdgegateError }, { file, exceptions }) {
  const listed = new Map(exceptions.map((exception) => [exception.tcId, exception]));
  const faults = [];
  let agreed = 0;
  let excepted = 0;
  let seen = 0;
  if (listed.size !== exceptions.length) faults.push('a tcId is listed twice');
  for (const group of file.testGroups) {
    const key = group.public ?? group.private;
    for (const { tcId, comment, jws, result } of group.tests) {
      const { refusal } = await outcome(EdgegateError, () => verifyJws(jws, key, { algorithms: algorithmsOf(key) }));
      const found = refusal === undefined ? 'verifies' : plain(refusal);
      const agrees = (found === 'verifies') === (result === 'valid');
      seen += 1;
      const at = `${tcId}: ${group.comment}, ${comment}`;
      const exception = listed.get(tcId);
      listed.delete(tcId);
      if (refusal?.code === 'NO_EDGEGATE_ERROR') faults.push(`${at}: ${found}`);
      else if (exception === undefined && agrees) agreed += 1;
      else if (exception === undefined) faults.push(`${at}: ${result}, but: ${found}`);
      else if (agrees) faults.push(`${at}: is no exception any more`);
      else if (exception.outcome === found) excepted += 1;
      else faults.push(`${at}: expected ${exception.outcome}, found ${found}`);
    }
  }
  for (const tcId of listed.keys()) faults.push(`${tcId}: listed, but not in the file`);
  if (seen !== file.numberOfTests) faults.push(`the file says ${file.numberOfTests} vectors and has ${seen}`);
  return { counts: { 'as the file says': agreed, 'listed exceptions': excepted }, faults };
}

/** The project's own vectors: those of RFC 7515, 7520, 7638 and 8037, and some that other libraries computed. */
export async function vectors(edgegate, { jws, thumbprint, pem, apiKeys }) {
  const { verifyJws, importKey, createApiKeys, EdgegateError } = edgegate;
  const faults = [];
  const counts = { tokens: 0, 'flipped characters': 0, thumbprints: 0, 'PEM keys': 0, 'API keys': 0 };
  const count = (what, at, holds, found) => {
    if (holds) counts[what] += 1;
    else faults.push(`${at}: ${JSON.stringify(found)}`);
  };
  for (const { name, source, jwk, token, algorithm, payload } of jws) {
    const at = `${name}, ${source}`;
    const verify = (text) => outcome(EdgegateError, () => verifyJws(text, jwk, { algorithms: [algorithm] }));
    const { value, refusal } = await verify(token);
    count('tokens', at, value && decoder.decode(value.payload) === payload && value.header.alg === algorithm, refusal ?? value);
    for (let place = 0; place < token.length; place += 7) {
      const other = String.fromCharCode(token.charCodeAt(place) ^ 1);
      const changed = await verify(token.slice(0, place) + other + token.slice(place + 1));
      count('flipped characters', `${at}, character ${place}`, changed.refusal?.code === 'INVALID_TOKEN', changed.refusal ?? 'verifies');
    }
  }
  for (const vector of thumbprint) {
    const { value, refusal } = await outcome(EdgegateError, () => importKey(vector.jwk));
    count('thumbprints', `${vector.name}, ${vector.source}`, value?.thumbprint === vector.thumbprint, refusal ?? value?.thumbprint);
  }
  for (const { name, pem: text, algorithms, thumbprint: expected } of pem.accepted) {
    const { value, refusal } = await outcome(EdgegateError, () => importKey(text));
    count('PEM keys', name, value?.thumbprint === expected && canonical(value.algorithms) === canonical(algorithms), refusal ?? value);
  }
  for (const { name, pem: text, error } of pem.refused) {
    const { refusal } = await outcome(EdgegateError, () => importKey(text));
    // A text that does not begin like PEM is refused before it is read as PEM.
    const expected = text.includes('-----BEGIN ') ? error : 'a string that is not PEM, expected an HMAC secret as bytes (new TextEncoder().encode(secret))';
    count('PEM keys', name, refusal?.code === 'CONFIG_ERROR' && plain(refusal) === expected, refusal ?? 'taken');
  }
  const { environment, prefixes, now } = apiKeys;
  const hex = (text) => Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));
  const signingKeys = apiKeys.signing_keys.map(({ id, secret_hex }) => ({ id, secret: hex(secret_hex) }));
  const keys = createApiKeys({ environment, prefixes, signingKeys, now: () => now });
  for (const { name, key, id } of apiKeys.valid) {
    const { value, refusal } = await outcome(EdgegateError, () => keys.verify(key));
    count('API keys', name, value?.id === id, refusal ?? value);
  }
  for (const { name, key, reason } of apiKeys.invalid) {
    const { value, refusal } = await outcome(EdgegateError, () => keys.verify(key));
    count('API keys', name, refusal?.reason === reason, refusal ?? value);
  }
  return { counts, faults };
}

/**
 * Strict Ed25519: each signature gets the verdict of the Rust crate, whoever decides here. If WebCrypto has Ed25519, it gives the same
 * verdict about the signatures that a host is asked about.
 */
export async function ed25519({ createVerifier, verifyJws, EdgegateError }, list) {
  const faults = [];
  const counts = { tokens: 0, JWTs: 0, 'JWTs at once': 0, 'by WebCrypto': 0 };
  const count = (what, { name, source }, holds, found) => {
    if (holds) counts[what] += 1;
    else faults.push(`${name}, ${source}, ${what}: ${found}`);
  };
  const subtle = globalThis.crypto?.subtle;
  const imported = (x) => subtle?.importKey('raw', bytesOf(x), { name: 'Ed25519' }, false, ['verify']).catch(() => undefined);
  for (const vector of list) {
    const { x, message, signature, jws, asked, holds } = vector;
    if (jws) {
      const key = { kty: 'OKP', crv: 'Ed25519', x };
      const token = `${decoder.decode(bytesOf(message))}.${signature}`;
      const verifier = createVerifier({ issuer: 'https://odd.test/', audience: 'https://api.example.com', algorithms: ['EdDSA'], key, cache: false });
      for (const [what, call] of [
        ['tokens', () => verifyJws(token, key)], ['JWTs', () => verifier.verify(token)], ['JWTs at once', () => verifier.verifySync(token)],
      ]) {
        const { refusal } = await outcome(EdgegateError, call);
        const found = refusal === undefined ? 'verifies' : refusal.reason;
        count(what, vector, found === (holds ? 'verifies' : 'bad_signature'), canonical(refusal ?? found));
      }
    }
    const key = asked ? await imported(x) : undefined;
    if (key !== undefined) {
      const verdict = await subtle.verify({ name: 'Ed25519' }, key, bytesOf(signature), bytesOf(message));
      count('by WebCrypto', vector, verdict === holds, verdict);
    }
  }
  return { counts, faults };
}

/** RFC 7517 appendix A.3: the set's key that the token names, or the only one that it can mean. */
export async function keySets({ verifyJws, EdgegateError }, list) {
  const faults = [];
  let tokens = 0;
  for (const { name, source, jwks, tokens: cases } of list) {
    for (const { token, algorithms, keyId, error } of cases) {
      const { value, refusal } = await outcome(EdgegateError, () => verifyJws(token, jwks, { algorithms }));
      if (error === undefined ? value && value.keyId === keyId : refusal?.reason === error) tokens += 1;
      else faults.push(`${name}, ${source}: ${JSON.stringify(refusal ?? value)}`);
    }
  }
  return { counts: { tokens }, faults };
}

const optionsOf = (data, now) => {
  const { key, ...rest } = data;
  return { ...rest, key: key?.secret === undefined ? key : bytesOf(key.secret), now: () => now };
};

/** Every object in it has its proper prototype: no member named `__proto__` has replaced it. */
function unpolluted(value) {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(unpolluted);
  return Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).every((name) => unpolluted(Object.getOwnPropertyDescriptor(value, name).value));
}

/** The groups of `attacks.mjs`, by `verify` and, where the runtime has it for the algorithm, `verifySync`. */
export async function attacks({ createVerifier, EdgegateError }, { groups, now }) {
  const faults = [];
  const counts = {};
  for (const group of groups) {
    const at = `${group.name} (${group.reference})`;
    const options = optionsOf(group.verifier, now);
    const verifier = createVerifier(options);
    const both = async (token) => {
      const later = await outcome(EdgegateError, () => verifier.verify(token));
      const sync = await outcome(EdgegateError, () => createVerifier(options).verifySync(token));
      const same = sync.refusal?.code === 'SYNC_UNSUPPORTED' || canonical(later) === canonical(sync);
      return same ? later : { refusal: { code: 'DIFFERS', message: `verify: ${canonical(later)}; verifySync: ${canonical(sync)}` } };
    };
    const takesHonest = async (when) => {
      const { refusal } = await both(group.honest);
      if (refusal) faults.push(`${at}: ${when} the honest token is refused: ${canonical(refusal)}`);
    };
    await takesHonest('before the attacks');
    counts[group.name] = 0;
    const count = (holds, fault) => {
      if (holds) counts[group.name] += 1;
      else faults.push(`${at}: ${fault()}`);
    };
    for (const { title, token, expected } of group.refused) {
      const { refusal } = await both(token);
      count(refusal && canonical(refusal) === canonical(expected), () => `${title}: expected ${canonical(expected)}, found ${canonical(refusal ?? 'verifies')}`);
    }
    for (const { title, token, expected } of group.accepted) {
      const { value, refusal } = await both(token);
      const text = expected ?? decoder.decode(bytesOf(token.split('.')[1]));
      const same = value && JSON.stringify(value.claims) === JSON.stringify(JSON.parse(text)) && unpolluted(value.claims) && unpolluted(value.header);
      count(same && {}.admin === undefined, () => `${title}: ${canonical(refusal ?? value)}`);
    }
    for (const { title, options: mistaken, message } of group.configurations) {
      const { refusal } = await outcome(EdgegateError, () => createVerifier(optionsOf(mistaken, now)));
      count(refusal?.code === 'CONFIG_ERROR' && refusal.message === message, () => `${title}: ${canonical(refusal ?? 'taken')}`);
    }
    await takesHonest('after the attacks');
  }
  return { counts, faults };
}

export const SUITES = { wycheproof, vectors, keySets, ed25519, attacks };
