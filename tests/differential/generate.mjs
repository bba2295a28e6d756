// Tokens made from a seed: honest ones in all their forms, and others that are wrong or odd in one or two ways.

import { constants, createHmac, sign as signWith } from 'node:crypto';

import { ALGORITHMS, isHmac, keyOf } from './keys.mjs';

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'https://api.test';
export const NOW = 1_800_000_000;

/** Mulberry32: small, and the same everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  // The first numbers of seeds side by side are alike.
  for (let round = 0; round < 4; round += 1) next();
  return {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

const HASH = (algorithm) => `sha${algorithm.slice(2)}`;

/** Signs with `node:crypto` alone. Other encodings than that of JWS are chosen by `dsaEncoding`. */
export function signature(algorithm, message, { key = keyOf(algorithm).privateKey, dsaEncoding = 'ieee-p1363' } = {}) {
  const bytes = Buffer.from(message);
  if (isHmac(algorithm)) return createHmac(HASH(algorithm), key).update(bytes).digest();
  if (algorithm === 'EdDSA') return signWith(null, bytes, key);
  if (algorithm.startsWith('RS')) return signWith(HASH(algorithm), bytes, key);
  if (algorithm.startsWith('ES')) return signWith(HASH(algorithm), bytes, { key, dsaEncoding });
  return signWith(HASH(algorithm), bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
}

const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

// ---- JSON in its many spellings ----

const WORDS = ['', 'a', 'zoë', 'user|1', '日本', '\u{1f600}', '"', '\\', '/', '\u2028', '<script>', ' a ', '\0', '\u007f', 'null', '1', 'e\u0301', '\ufeff'];

/** A string. Some characters are escaped though they need not be. */
function quoted(text, rng) {
  if (!rng.chance(0.2)) return JSON.stringify(text);
  const unit = (index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`;
  return `"${Array.from({ length: text.length }, (_, index) => unit(index)).join('')}"`;
}

function value(rng, depth = 0) {
  switch (rng.below(depth > 2 ? 5 : 7)) {
    case 0: return quoted(rng.pick(WORDS), rng);
    case 1: return rng.pick(['0', '-0', '1', '-1', '1.5', '1e3', '1E-7', '9007199254740993', '123456789012345678901234567890', '5e-324', '0.1']);
    case 2: return rng.pick(['true', 'false']);
    case 3: return 'null';
    case 4: return quoted(`${rng.pick(WORDS)}${rng.pick(WORDS)}`, rng);
    case 5: return `[${Array.from({ length: rng.below(4) }, () => value(rng, depth + 1)).join(',')}]`;
    default: return object(Array.from({ length: rng.below(4) }, (_, index) => [`${rng.pick(WORDS)}${index}`, value(rng, depth + 1)]), rng);
  }
}

const blank = (rng) => (rng.chance(0.05) ? rng.pick([' ', '\n', '\t', '\r\n', '  ']) : '');

/** The text of an object with these members, each value JSON text already. */
function object(members, rng) {
  const body = members.map(([name, text]) => `${blank(rng)}${quoted(name, rng)}${blank(rng)}:${blank(rng)}${text}${blank(rng)}`).join(',');
  return `${blank(rng)}{${body}}${blank(rng)}`;
}

const shuffled = (list, rng) => {
  const copy = [...list];
  for (let index = copy.length - 1; index > 0; index -= 1) {
    const other = rng.below(index + 1);
    [copy[index], copy[other]] = [copy[other], copy[index]];
  }
  return copy;
};

// ---- drafts ----

/** A token before it is written. Its members are `[name, JSON text]`, so that they can hold anything. */
function draft(rng) {
  const algorithm = rng.chance(0.5) ? rng.pick(['HS256', 'HS384', 'HS512']) : rng.pick(ALGORITHMS);
  const header = [['alg', JSON.stringify(algorithm)]];
  if (rng.chance(0.7)) header.push(['typ', rng.pick(['"JWT"', '"jwt"', '"at+jwt"', '"application/at+jwt"'])]);
  if (rng.chance(0.3)) header.push(['cty', '"JWT"']);
  const claims = [['iss', JSON.stringify(ISSUER)], ['aud', rng.pick([JSON.stringify(AUDIENCE), JSON.stringify([AUDIENCE]), JSON.stringify(['x', AUDIENCE])])]];
  claims.push(['exp', `${NOW + rng.pick([1, 60, 600, 86_400])}`]);
  if (rng.chance(0.6)) claims.push(['iat', `${NOW - rng.pick([0, 1, 10, 299])}`]);
  if (rng.chance(0.4)) claims.push(['nbf', `${NOW - rng.pick([0, 1, 10])}`]);
  if (rng.chance(0.7)) claims.push(['sub', quoted(rng.pick(WORDS), rng)]);
  if (rng.chance(0.4)) claims.push(['jti', quoted(rng.pick(WORDS), rng)]);
  for (let count = rng.below(4); count > 0; count -= 1) claims.push([`x${count}`, value(rng)]);
  return { algorithm, header, claims: shuffled(claims, rng), key: undefined, dsaEncoding: undefined, headerBytes: (text) => text, payloadBytes: (text) => text, sign: (bytes) => bytes, write: (parts) => parts.join('.') };
}

const set = (members, name, text) => {
  const place = members.findIndex(([known]) => known === name);
  if (place === -1) members.push([name, text]);
  else members[place] = [name, text];
};
const drop = (members, name) => members.splice(0, members.length, ...members.filter(([known]) => known !== name));

const WRONG_NUMBERS = [`"${NOW + 60}"`, 'null', 'true', '[]', '{}', `[${NOW + 60}]`, '""'];
const WRONG_STRINGS = ['1', 'null', 'true', '["a"]', '{}', '0'];
const EXTREMES = ['1e308', '-1e308', '9223372036854775807', '-9223372036854775808', '18446744073709551616', '0', '-0', '-1', '1e-300', '253402300800', '8640000000001'];
const around = (rng) => `${NOW + rng.pick([-2, -1, 0, 1, 2])}`;
const fraction = (rng) => `${NOW + rng.pick([-1, 0, 1])}.${rng.pick(['5', '001', '999', '0', '25e0'])}`;
const signed = (draft, rng, header = draft.header) => `${base64url(draft.headerBytes(object(header, rng)))}.${base64url(draft.payloadBytes(object(draft.claims, rng)))}`;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const onPart = (draft, rng, change) => {
  const place = rng.below(3);
  const write = draft.write;
  draft.write = (parts) => write(parts.with(place, change(parts[place])));
};
const insertBytes = (rng, bytes) => (text) => {
  // Puts the text into a string of the object if it has one, before the last quote.
  const buffer = Buffer.from(text);
  const place = Math.max(buffer.lastIndexOf('"'), 1);
  return Buffer.concat([buffer.subarray(0, place), Buffer.from(bytes), buffer.subarray(place)]);
};

const BAD_UTF8 = [[0x80], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff]];

/**
 * Each function changes a draft. The signature is made afterwards, unless the function changes the written token. No function may depend on
 * the bits of a signature: some are random, and a seed has to give the same verdicts every time.
 */
const MUTATIONS = {
  // claims
  'exp of another type': (draft, rng) => set(draft.claims, 'exp', rng.pick(WRONG_NUMBERS)),
  'nbf of another type': (draft, rng) => set(draft.claims, 'nbf', rng.pick(WRONG_NUMBERS)),
  'iat of another type': (draft, rng) => set(draft.claims, 'iat', rng.pick(WRONG_NUMBERS)),
  'exp around now': (draft, rng) => set(draft.claims, 'exp', around(rng)),
  'nbf around now': (draft, rng) => set(draft.claims, 'nbf', around(rng)),
  'iat around now': (draft, rng) => set(draft.claims, 'iat', around(rng)),
  'iat long ago': (draft, rng) => {
    draft.rules = 'max-age';
    set(draft.claims, 'iat', `${NOW - rng.pick([299, 300, 301, 304, 305, 306, 100_000])}`);
  },
  'exp with a fraction': (draft, rng) => set(draft.claims, 'exp', fraction(rng)),
  'nbf with a fraction': (draft, rng) => set(draft.claims, 'nbf', fraction(rng)),
  'iat with a fraction': (draft, rng) => {
    draft.rules = rng.pick(['plain', 'max-age']);
    set(draft.claims, 'iat', fraction(rng));
  },
  'exp within the tolerance': (draft, rng) => {
    draft.rules = 'tolerance';
    set(draft.claims, 'exp', `${NOW - rng.pick([1, 4, 5, 6])}`);
  },
  'nbf within the tolerance': (draft, rng) => {
    draft.rules = 'tolerance';
    set(draft.claims, 'nbf', `${NOW + rng.pick([1, 4, 5, 6])}`);
  },
  'an extreme exp': (draft, rng) => set(draft.claims, 'exp', rng.pick(EXTREMES)),
  'an extreme nbf': (draft, rng) => set(draft.claims, 'nbf', rng.pick(EXTREMES)),
  'an extreme iat': (draft, rng) => set(draft.claims, 'iat', rng.pick(EXTREMES)),
  'a number beyond doubles': (draft, rng) => set(draft.claims, rng.pick(['exp', 'nbf', 'iat', 'x']), rng.pick(['1e309', '-1e309', '1e999'])),
  'no JSON number': (draft, rng) => set(draft.claims, 'exp', rng.pick(['NaN', 'Infinity', '01', '+1', '1.', '0x10', `${NOW + 60}n`])),
  'no exp': (draft) => drop(draft.claims, 'exp'),
  'no iss': (draft) => drop(draft.claims, 'iss'),
  'no aud': (draft) => drop(draft.claims, 'aud'),
  'another iss': (draft, rng) => set(draft.claims, 'iss', rng.pick(['"https://other.test/"', '"https://issuer.test"', '"HTTPS://ISSUER.TEST/"', '""', JSON.stringify([ISSUER]), 'null', '1', `{"${ISSUER}":1}`])),
  'another aud': (draft, rng) => set(draft.claims, 'aud', rng.pick(['"other"', '[]', '["other"]', '""', '"https://api.test/"', '"HTTPS://API.TEST"', JSON.stringify([[AUDIENCE]])])),
  'aud of another type': (draft, rng) => set(draft.claims, 'aud', rng.pick(['null', '1', 'true', '{}', `{"0":"${AUDIENCE}"}`, `["${AUDIENCE}",1]`, `["${AUDIENCE}",null]`, `[{},"${AUDIENCE}"]`])),
  'sub of another type': (draft, rng) => set(draft.claims, 'sub', rng.pick(WRONG_STRINGS)),
  'jti of another type': (draft, rng) => set(draft.claims, 'jti', rng.pick(WRONG_STRINGS)),
  'sid of another type': (draft, rng) => set(draft.claims, 'sid', rng.pick(WRONG_STRINGS)),
  'a claim twice': (draft, rng) => {
    const [name, text] = rng.pick(draft.claims);
    draft.claims.splice(rng.below(draft.claims.length + 1), 0, [name, rng.pick([text, '"admin"', '9999999999', 'null'])]);
  },
  'a name twice, deeper': (draft) => set(draft.claims, 'x', '{"a":[{"b":1,"b":2}]}'),
  'names that JavaScript gives a meaning to': (draft, rng) => set(draft.claims, rng.pick(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']), rng.pick(['{"exp":1}', 'null', '1', '{"admin":true}'])),
  'claims on a prototype': (draft, rng) => {
    const name = rng.pick(['exp', 'iss', 'aud']);
    const found = draft.claims.find(([known]) => known === name);
    drop(draft.claims, name);
    set(draft.claims, '__proto__', `{"${name}":${found?.[1] ?? '1'}}`);
  },
  // payloads
  'a payload that is no object': (draft, rng) => {
    const text = rng.pick(['null', '[]', '""', '1', 'true', ' ', '{', '{}{}', '"sub"', '[{}]']);
    draft.payloadBytes = () => text;
  },
  'an empty payload': (draft) => {
    draft.payloadBytes = () => '';
  },
  'text after the payload': (draft, rng) => {
    const rest = rng.pick(['x', '{}', '\0', ',', '//', ' \n', '\u00a0']);
    draft.payloadBytes = (text) => text + rest;
  },
  'a byte order mark': (draft, rng) => {
    if (rng.chance(0.5)) draft.payloadBytes = (text) => `\ufeff${text}`;
    else draft.headerBytes = (text) => `\ufeff${text}`;
  },
  'a payload that is no UTF-8': (draft, rng) => {
    set(draft.claims, 'x', '"x"');
    draft.payloadBytes = insertBytes(rng, rng.pick(BAD_UTF8));
  },
  'a header that is no UTF-8': (draft, rng) => {
    draft.header.push(['x', '"x"']);
    draft.headerBytes = insertBytes(rng, rng.pick(BAD_UTF8));
  },
  'half a surrogate': (draft, rng) => set(rng.pick([draft.claims, draft.header]), 'x', rng.pick(['"\\ud800"', '"\\udc00a"', '"\\ud800\\u0041"'])),
  'deep nesting': (draft, rng) => {
    const depth = rng.pick([50, 100, 126, 127, 128, 500]);
    const [open, close] = rng.pick([['[', ']'], ['{"a":', '}']]);
    set(draft.claims, 'x', `${open.repeat(depth)}1${close.repeat(depth)}`);
  },
  'a long token': (draft, rng) => set(draft.claims, 'x', `"${'x'.repeat(rng.pick([3000, 5000, 6500, 20_000]))}"`),
  // headers
  crit: (draft, rng) => {
    set(draft.header, 'crit', rng.pick(['["exp"]', '[]', 'null', '"exp"', '["b64"]', '["x"]', '[1]', '{}', '["alg"]', '0', '""', 'false']));
    if (rng.chance(0.5)) set(draft.header, 'x', '1');
  },
  b64: (draft, rng) => {
    set(draft.header, 'b64', rng.pick(['true', 'false', 'null', '"true"', '1']));
    if (rng.chance(0.5)) set(draft.header, 'crit', '["b64"]');
  },
  kid: (draft, rng) => set(draft.header, 'kid', rng.pick(['"a"', '""', '"../../dev/null"', '"__proto__"', '"zoë"', `"${'k'.repeat(256)}"`, `"${'k'.repeat(257)}"`])),
  'kid of another type': (draft, rng) => set(draft.header, 'kid', rng.pick(WRONG_STRINGS)),
  'typ, looked at': (draft, rng) => {
    draft.rules = 'typ';
    MUTATIONS.typ(draft, rng);
  },
  typ: (draft, rng) => set(draft.header, 'typ', rng.pick(['"JWT"', '"at+jwt"', '"AT+JWT"', '"application/at+jwt"', '"Application/At+Jwt"', '"application/JWT"', '"x"', '""', '"JOSE"', '"at+jwt "', '"text/at+jwt"'])),
  'typ of another type': (draft, rng) => set(draft.header, 'typ', rng.pick(WRONG_STRINGS)),
  'no typ': (draft) => drop(draft.header, 'typ'),
  'keys in the header': (draft, rng) => set(draft.header, rng.pick(['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256']), rng.pick(['{"kty":"oct","k":"AAAA"}', '"https://evil.test/"', '["MIIB"]', 'null', '1'])),
  'a member of the header twice': (draft, rng) => {
    const [name, text] = rng.pick(draft.header);
    draft.header.splice(rng.below(draft.header.length + 1), 0, [name, rng.pick([text, '"none"', '1', 'null'])]);
  },
  'a header with other letters': (draft, rng) => set(draft.header, 'x', rng.pick(['"zoë"', '"日本"', '"\u{1f600}"'])),
  'a header that is no object': (draft, rng) => {
    const text = rng.pick(['null', '[]', '""', '1', ' ', '{', '{}{}']);
    draft.headerBytes = () => text;
  },
  'text after the header': (draft, rng) => {
    const rest = rng.pick(['x', '{}', '\0', ' \n']);
    draft.headerBytes = (text) => text + rest;
  },
  'alg in other words': (draft, rng) => {
    const { algorithm } = draft;
    set(draft.header, 'alg', JSON.stringify(rng.pick([algorithm.toLowerCase(), `${algorithm} `, ` ${algorithm}`, 'none', 'None', 'NONE', '', `${algorithm}\0`, algorithm.replace('S', 's')])));
  },
  'alg of another type': (draft, rng) => set(draft.header, 'alg', rng.pick(['null', '1', '["HS256"]', '{}', 'true'])),
  'no alg': (draft) => drop(draft.header, 'alg'),
  'another alg': (draft, rng) => set(draft.header, 'alg', JSON.stringify(rng.pick([...ALGORITHMS, 'ES256K', 'Ed448', 'HS1', 'RS1']))),
  'the other name of EdDSA': (draft) => {
    draft.algorithm = 'EdDSA';
    set(draft.header, 'alg', '"Ed25519"');
  },
  // signatures
  'another key': (draft) => {
    if (isHmac(draft.algorithm)) draft.key = Buffer.alloc(64, 1);
    else draft.sign = (bytes) => Buffer.from(bytes).reverse();
  },
  'ECDSA in DER': (draft, rng) => {
    draft.algorithm = rng.pick(['ES256', 'ES384', 'ES512']);
    set(draft.header, 'alg', JSON.stringify(draft.algorithm));
    draft.dsaEncoding = 'der';
  },
  'a shortened signature': (draft, rng) => {
    const [keep, place] = [rng.pick([0, 1, 8, 16, 31]), rng.below(2)];
    draft.sign = (bytes) => (place === 0 ? bytes.subarray(0, keep) : bytes.subarray(0, bytes.length - 1));
  },
  'a lengthened signature': (draft, rng) => {
    const before = rng.chance(0.5);
    draft.sign = (bytes) => (before ? Buffer.concat([Buffer.alloc(1), bytes]) : Buffer.concat([bytes, Buffer.alloc(1)]));
  },
  'a signature of zeros': (draft) => {
    draft.sign = (bytes) => Buffer.alloc(bytes.length);
  },
  'a flipped bit in the signature': (draft, rng) => {
    const [place, bit] = [rng.below(1 << 16), rng.below(8)];
    draft.sign = (bytes) => bytes.with(place % bytes.length, bytes[place % bytes.length] ^ (1 << bit));
  },
  // what is written
  padding: (draft, rng) => onPart(draft, rng, ((put) => (text) => text + put)(rng.pick(['=', '==', '%3D']))),
  'spare bits': (draft, rng) => {
    const bits = rng.pick([1, 2, 3]);
    // If there are none, the token stays as it is.
    onPart(draft, rng, (text) => (text.length % 4 === 0 ? text : text.slice(0, -1) + ALPHABET[ALPHABET.indexOf(text.at(-1)) | bits]));
  },
  'white space in the token': (draft, rng) => {
    const [put, place] = [rng.pick([' ', '\n', '\t', '\r\n', '\u00a0']), rng.below(1 << 16)];
    onPart(draft, rng, (text) => text.slice(0, place % (text.length + 1)) + put + text.slice(place % (text.length + 1)));
  },
  'a foreign character': (draft, rng) => {
    const [put, place] = [rng.pick(['!', '+', '/', '\0', 'é', '\u0141', '*', '~', ',', '-_']), rng.below(1 << 16)];
    onPart(draft, rng, (text) => text.slice(0, place % (text.length + 1)) + put + text.slice(place % (text.length + 1)));
  },
  'the other alphabet': (draft, rng) => onPart(draft, rng, (text) => {
    const other = text.replaceAll('-', '+').replaceAll('_', '/');
    return other === text ? `+${text.slice(1)}` : other;
  }),
  'another character': (draft, rng) => {
    const [by, place] = [1 + rng.below(63), rng.below(1 << 16)];
    onPart(draft, rng, (text) => {
      if (text === '') return text;
      const at = place % text.length;
      return text.slice(0, at) + ALPHABET[(ALPHABET.indexOf(text[at]) + by) % 64] + text.slice(at + 1);
    });
  },
  'a character less': (draft, rng) => {
    const place = rng.below(1 << 16);
    onPart(draft, rng, (text) => (text === '' ? text : text.slice(0, place % text.length) + text.slice((place % text.length) + 1)));
  },
  'an empty segment': (draft, rng) => onPart(draft, rng, () => ''),
  'another number of segments': (draft, rng) => {
    const way = rng.below(5);
    draft.write = ([header, payload, tag]) => [
      `${header}.${payload}`, `${header}.${payload}.${tag}.`, `.${header}.${payload}.${tag}`, `${header}.${payload}.${tag}.${tag}`, header,
    ][way];
  },
  'something around the token': (draft, rng) => {
    const [before, after] = rng.pick([[' ', ''], ['', ' '], ['', '\n'], ['Bearer ', ''], ['"', '"'], ['\ufeff', ''], ['', '\0']]);
    draft.write = (parts) => before + parts.join('.') + after;
  },
};

export const MUTATION_NAMES = Object.keys(MUTATIONS);

/** Rules beside issuer, audience and algorithm. */
export const RULES = ['plain', 'typ', 'max-age', 'tolerance'];

/** The token of a seed: `{token, algorithm, rules, changes}`. */
export function generate(seed) {
  const rng = random(seed);
  const made = draft(rng);
  made.rules = rng.chance(0.6) ? 'plain' : rng.pick(RULES);
  const count = rng.pick([0, 1, 1, 1, 1, 1, 1, 2]);
  const changes = Array.from({ length: count }, () => rng.pick(MUTATION_NAMES));
  for (const change of changes) MUTATIONS[change](made, rng);
  const message = signed(made, rng);
  const tag = made.sign(signature(made.algorithm, message, { key: isHmac(made.algorithm) ? made.key : undefined, dsaEncoding: made.dsaEncoding }));
  return { seed, token: made.write([...message.split('.'), base64url(tag)]), algorithm: made.algorithm, rules: made.rules, changes };
}
