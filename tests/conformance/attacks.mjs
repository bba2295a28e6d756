// Known attacks on verifiers, each by its name and number, as data: forged here, tried in every runtime.
//
// A group has a verifier, an honest token that it takes (or else every refusal would mean nothing), and what has to be
// refused, each with the whole refusal; `accepted` are tokens that look odd and do no harm; `configurations` are mistakes
// that `createVerifier` has to refuse.

import { createHmac, createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto';

import { AUDIENCE, CLAIMS as STANDARD_CLAIMS, ISSUER, NOW as STANDARD_NOW, base64url, pairFor, secretFor, signAsymmetric, signHmac } from '../node/support.mjs';

export { STANDARD_NOW as NOW };

/** When the attacks happen, and honest claims of that time: `attackGroups` sets them. */
let NOW = STANDARD_NOW;
let CLAIMS = STANDARD_CLAIMS;

const secret = secretFor('HS256');
const encoded = (bytes) => ({ secret: Buffer.from(bytes).toString('base64url') });
const options = (rest = {}) => ({ issuer: ISSUER, audience: AUDIENCE, algorithms: ['HS256'], key: encoded(secret), ...rest });
const hs256 = (claims = CLAIMS, header = {}) => signHmac(claims, { secret, header });
const claimsText = (rest) => `${JSON.stringify(CLAIMS).slice(0, -1)},${rest}}`;
const segment = (bytes) => Buffer.from(bytes).toString('base64url');

const refusal = (reason, message, rest = {}) => ({ code: 'INVALID_TOKEN', reason, message, ...rest });
const malformed = (message) => refusal('malformed_token', message);
const THREE = malformed('token: expected three segments, header and signature not empty');
const BAD_SIGNATURE = refusal('bad_signature', 'signature does not verify');
const NOT_ALLOWED = refusal('algorithm_not_allowed', 'alg is not allowed for this key and issuer');
const UNKNOWN_KEY = refusal('unknown_key', 'no key of the issuer fits the header');
const CRITICAL = refusal('unsupported_critical', 'header names critical extensions, none is supported');
const duplicate = (part) => refusal('duplicate_member', `${part} has a member name twice`);
const tooLong = (length) => refusal('token_too_long', `token has ${length} bytes, more than the 8192 allowed`);

const rsa = pairFor('RS256');
const ec = pairFor('ES256');
const ed = pairFor('EdDSA');
const jwkOf = ({ publicKey }) => publicKey.export({ format: 'jwk' });
const pemOf = ({ publicKey }, type = 'spki') => publicKey.export({ type, format: 'pem' });
const derOf = ({ publicKey }, type = 'spki') => publicKey.export({ type, format: 'der' });
const byRsa = options({ algorithms: ['RS256'], key: jwkOf(rsa) });
const byEc = options({ algorithms: ['ES256'], key: jwkOf(ec) });
const byEd = options({ algorithms: ['EdDSA'], key: jwkOf(ed) });
const rs256 = (claims = CLAIMS, header = {}, pair = rsa) => signAsymmetric(claims, { key: pair.privateKey, alg: 'RS256', header });
const es256 = (claims = CLAIMS, pair = ec) => signAsymmetric(claims, { key: pair.privateKey, alg: 'ES256' });
const eddsa = (claims = CLAIMS, pair = ed) => signAsymmetric(claims, { key: pair.privateKey, alg: 'EdDSA' });
/** The token with other bytes for a signature. */
const resigned = (token, bytes) => `${token.slice(0, token.lastIndexOf('.'))}.${segment(bytes)}`;

function none() {
  const refused = [];
  const spellings = ['none', 'None', 'NONE', 'nOnE', 'noNe', ' none', 'none ', 'none\0', 'n\u043ene', '', 'null', 'hs256', 'HS256 ', 'HS257'];
  for (const alg of spellings) {
    const message = `${base64url({ alg })}.${base64url(CLAIMS)}`;
    const title = JSON.stringify(alg);
    refused.push(
      [`${title}, no signature`, `${message}.`, THREE],
      [`${title}, no third segment`, message, THREE],
      [`${title}, some signature`, `${message}.AA`, NOT_ALLOWED],
      [`${title}, signed with the secret all the same`, hs256(CLAIMS, { alg }), NOT_ALLOWED],
    );
  }
  for (const value of [null, 0, ['HS256'], {}, true]) {
    refused.push([`alg is ${JSON.stringify(value)}`, hs256(CLAIMS, { alg: value }), malformed('header: alg is not a string')]);
  }
  refused.push(['no alg', hs256(CLAIMS, { alg: undefined }), malformed('header: alg is missing')]);
  return refused;
}

/** Every form in which a public key gets about, as a secret. */
const publicForms = () => [
  ['PEM', pemOf(rsa)], ['PEM without the last line break', pemOf(rsa).trim()], ['PEM with CRLF', pemOf(rsa).replaceAll('\n', '\r\n')],
  ['PKCS#1 PEM', pemOf(rsa, 'pkcs1')], ['DER', derOf(rsa)], ['PKCS#1 DER', derOf(rsa, 'pkcs1')], ['JWK text', JSON.stringify(jwkOf(rsa))],
  ['JWK text, indented', JSON.stringify(jwkOf(rsa), null, 2)], ['JWK set text', JSON.stringify({ keys: [jwkOf(rsa)] })],
  ['the base64 of the PEM', pemOf(rsa).split('\n').filter((line) => !line.startsWith('---')).join('')],
];

function confusion() {
  const refused = [];
  for (const [form, bytes] of publicForms()) {
    for (const alg of ['HS256', 'HS384', 'HS512']) refused.push([`${form}, ${alg}`, signHmac(CLAIMS, { secret: bytes, alg }), NOT_ALLOWED]);
    refused.push([`${form}, under the name RS256`, signHmac(CLAIMS, { secret: bytes, alg: 'RS256', hash: 'sha256' }), BAD_SIGNATURE]);
  }
  refused.push(['the modulus as secret', signHmac(CLAIMS, { secret: Buffer.from(jwkOf(rsa).n, 'base64url') }), NOT_ALLOWED]);
  return refused;
}

function otherAlgorithms() {
  const refused = ['HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'ES256K', 'ES512', 'EdDSA', 'Ed448', 'dir', 'A128KW']
    .map((alg) => [alg, signHmac(CLAIMS, { secret, alg, hash: 'sha256' }), NOT_ALLOWED]);
  return [...refused, ['a genuine RS256 token', rs256(), NOT_ALLOWED], ['a genuine EdDSA token', eddsa(), NOT_ALLOWED]];
}

function carriedKeys(lure) {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = derOf(own).toString('base64');
  const headers = {
    jwk: { jwk: jwkOf(own) }, 'jwk that names itself': { jwk: { ...jwkOf(own), kid: 'own' }, kid: undefined }, x5c: { x5c: [der] },
    jku: { jku: lure }, x5u: { x5u: lure }, 'jku and x5u together': { jku: lure, x5u: lure, 'x5t#S256': 'AA' },
  };
  return Object.entries(headers).map(([title, header]) => [title, rs256(CLAIMS, header, own), BAD_SIGNATURE]);
}

const KIDS = [
  '/dev/null', '../../../../dev/null', '../../../../proc/sys/kernel/randomize_va_space', "x' UNION SELECT 'key' -- ", 'mine|whoami',
  'https://evil.example/key', '__proto__', 'constructor', 'toString', 'mine\0', 'mine\0.pem', 'Mine', ' mine', 'mine ', '', '0', '*',
];

function kids() {
  const refused = [];
  for (const kid of KIDS) {
    const title = JSON.stringify(kid);
    refused.push(
      [`${title}, the right secret`, hs256(CLAIMS, { kid }), UNKNOWN_KEY],
      [`${title}, an empty secret`, signHmac(CLAIMS, { secret: '', header: { kid } }), UNKNOWN_KEY],
      [`${title}, the name as secret`, signHmac(CLAIMS, { secret: kid, header: { kid } }), UNKNOWN_KEY],
    );
  }
  for (const kid of [['mine'], { mine: 1 }, null, 1, true]) {
    refused.push([JSON.stringify(kid), hs256(CLAIMS, { kid }), malformed('header: kid is not a string')]);
  }
  refused.push(['257 bytes', hs256(CLAIMS, { kid: 'k'.repeat(257) }), malformed('header: kid is longer than 256 bytes')]);
  return refused;
}

function emptySignatures() {
  const token = hs256();
  const message = token.slice(0, token.lastIndexOf('.'));
  const tag = createHmac('sha256', secret).update(message).digest();
  const refused = [['none at all', `${message}.`, THREE], ['no dot either', message, THREE]];
  const others = {
    'a zero byte': [0], '16 zero bytes': Buffer.alloc(16), '32 zero bytes': Buffer.alloc(32), 'the text null': 'null', 'the text undefined': 'undefined',
    'an HMAC with an empty secret': createHmac('sha256', '').update(message).digest(),
    'an HMAC with a secret of zeros': createHmac('sha256', Buffer.alloc(32)).update(message).digest(),
    'one byte more': Buffer.concat([tag, Buffer.alloc(1)]), 'twice over': Buffer.concat([tag, tag]), reversed: Buffer.from(tag).reverse(),
    'an HMAC of the claims alone': createHmac('sha256', secret).update(message.split('.')[1]).digest(),
  };
  for (const [title, bytes] of Object.entries(others)) refused.push([title, `${message}.${segment(bytes)}`, BAD_SIGNATURE]);
  for (let length = 1; length < tag.length; length += 1) {
    refused.push([`cut to ${length} bytes`, `${message}.${segment(tag.subarray(0, length))}`, BAD_SIGNATURE]);
  }
  return refused;
}

function psychic() {
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  const field = Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex');
  const zero = Buffer.alloc(32);
  const one = Buffer.from(zero.with(31, 1));
  const ones = Buffer.alloc(32, 0xff);
  const token = es256();
  const refused = [];
  const halves = { 0: zero, 1: one, n: order, p: field, 'all ones': ones };
  for (const [r, left] of Object.entries(halves)) {
    for (const [s, right] of Object.entries(halves)) {
      refused.push([`r = ${r}, s = ${s}`, resigned(token, Buffer.concat([left, right])), BAD_SIGNATURE]);
    }
  }
  for (const length of [1, 32, 63, 65, 96, 128]) refused.push([`${length} zero bytes`, resigned(token, Buffer.alloc(length)), BAD_SIGNATURE]);
  return refused;
}

/** ECDSA as other protocols write it. */
function der() {
  const token = es256();
  const raw = Buffer.from(token.split('.')[2], 'base64url');
  const integer = (bytes) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const value = short[0] & 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short;
    return Buffer.concat([Buffer.from([2, value.length]), value]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return [
    ['DER', resigned(token, Buffer.concat([Buffer.from([0x30, body.length]), body])), BAD_SIGNATURE],
    ['r and s, each with a zero before it', resigned(token, Buffer.concat([Buffer.alloc(1), raw.subarray(0, 32), Buffer.alloc(1), raw.subarray(32)])), BAD_SIGNATURE],
    ['s before r', resigned(token, Buffer.concat([raw.subarray(32), raw.subarray(0, 32)])), BAD_SIGNATURE],
  ];
}

/** L, the order of Ed25519's group, little-endian: `s + L` is the same scalar (RFC 8032 §5.1.7 wants it reduced). */
const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
function ed25519() {
  const token = eddsa();
  const raw = Buffer.from(token.split('.')[2], 'base64url');
  const scalar = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + ED25519_ORDER;
  const high = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse();
  return [
    ['s + L', resigned(token, Buffer.concat([raw.subarray(0, 32), high])), BAD_SIGNATURE],
    ['all zeros', resigned(token, Buffer.alloc(64)), BAD_SIGNATURE],
    ['R the neutral point, s = 0', resigned(token, Buffer.concat([Buffer.from([1]), Buffer.alloc(63)])), BAD_SIGNATURE],
    ['63 bytes', resigned(token, raw.subarray(0, 63)), BAD_SIGNATURE],
    ['65 bytes', resigned(token, Buffer.concat([raw, Buffer.alloc(1)])), BAD_SIGNATURE],
  ];
}

function rsaLengths() {
  const token = rs256();
  const raw = Buffer.from(token.split('.')[2], 'base64url');
  const refused = [1, 255, 257, 512].map((length) => [`${length} bytes`, resigned(token, Buffer.alloc(length, 1)), BAD_SIGNATURE]);
  return [
    ...refused, ['a zero before it', resigned(token, Buffer.concat([Buffer.alloc(1), raw])), BAD_SIGNATURE],
    ['zero', resigned(token, Buffer.alloc(256)), BAD_SIGNATURE], ['one', resigned(token, Buffer.alloc(256).with(255, 1)), BAD_SIGNATURE],
    ['the modulus', resigned(token, Buffer.from(jwkOf(rsa).n, 'base64url')), BAD_SIGNATURE],
    ['PKCS#1 v1.5 with another hash', resigned(token, signWith('sha512', Buffer.from(token.slice(0, token.lastIndexOf('.'))), rsa.privateKey)), BAD_SIGNATURE],
    ['PSS', resigned(token, signWith('sha256', Buffer.from(token.slice(0, token.lastIndexOf('.'))), { key: rsa.privateKey, padding: 6 })), BAD_SIGNATURE],
  ];
}

function duplicates() {
  return [
    ['sub', hs256(claimsText('"sub":"admin"')), duplicate('payload')],
    ['sub, the same', hs256(claimsText(`"sub":${JSON.stringify(CLAIMS.sub)}`)), duplicate('payload')],
    ['sub, escaped', hs256(claimsText('"s\\u0075b":"admin"')), duplicate('payload')],
    ['iss', hs256(claimsText(`"iss":"${ISSUER}"`)), duplicate('payload')],
    ['iss of another issuer', hs256(claimsText('"iss":"https://other.test/"')), duplicate('payload')],
    ['exp', hs256(claimsText('"exp":9999999999')), duplicate('payload')],
    ['of a nested object', hs256(claimsText('"x":{"roles":[],"roles":["admin"]}')), duplicate('payload')],
    ['of an object in a list', hs256(claimsText('"x":[{"a":1,"a":2}]')), duplicate('payload')],
    ['__proto__', hs256(claimsText('"__proto__":1,"__proto__":2')), duplicate('payload')],
    ['alg', hs256(CLAIMS, '{"alg":"none","alg":"HS256"}'), duplicate('header')],
    ['alg, the same', hs256(CLAIMS, '{"alg":"HS256","alg":"HS256"}'), duplicate('header')],
    ['alg, escaped', hs256(CLAIMS, '{"alg":"HS256","\\u0061lg":"none"}'), duplicate('header')],
    ['kid', hs256(CLAIMS, '{"alg":"HS256","kid":"a","kid":"b"}'), duplicate('header')],
    ['of an unknown member', hs256(CLAIMS, '{"alg":"HS256","x":1,"x":1}'), duplicate('header')],
  ];
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
function spellings() {
  // Segments whose last character has spare bits: the header and the claims have lengths of 1 and 2 modulo 3.
  const header = '{"alg":"HS256"}'.padEnd(16);
  const bare = claimsText('"x":""');
  const claims = bare + ' '.repeat((5 - (Buffer.byteLength(bare) % 3)) % 3);
  const token = hs256(claims, header);
  const parts = token.split('.');
  const refused = [];
  ['header', 'payload', 'signature'].forEach((name, place) => {
    const whole = parts[place];
    const faulty = malformed(`${name}: not base64url without padding`);
    const put = (other) => parts.with(place, other).join('.');
    const last = ALPHABET.indexOf(whole.at(-1));
    const spare = whole.slice(0, -1) + ALPHABET[last | 1];
    if (spare === whole || !Buffer.from(spare, 'base64url').equals(Buffer.from(whole, 'base64url'))) throw new Error(`${name} has no spare bit`);
    for (const [title, other] of [
      ['a spare bit set', spare], ['one =', `${whole}=`], ['two =', `${whole}==`], ['an escaped =', `${whole}%3D`], ['a line break at the end', `${whole}\n`],
      ['a line break inside', `${whole.slice(0, 4)}\r\n${whole.slice(4)}`], ['a space before', ` ${whole}`], ['a space inside', `${whole.slice(0, 4)} ${whole.slice(4)}`],
      ['a zero', `${whole}\0`], ['+ of the other alphabet', `${whole.slice(0, -1)}+`], ['/ of the other alphabet', `${whole.slice(0, -1)}/`],
      ['a character beyond ASCII', `${whole}\u00e9`], ['one whose low byte is right', String.fromCharCode(whole.charCodeAt(0) + 0x100) + whole.slice(1)],
      ['a length that encodes nothing', whole.padEnd(Math.ceil(whole.length / 4) * 4 + 1, 'A')], ['half a surrogate', `${whole}\ud800`],
      ['a character that decoders skip', `${whole.slice(0, 4)}!${whole.slice(4)}`],
    ]) {
      refused.push([`${name}: ${title}`, put(other), faulty]);
    }
  });
  for (const [title, other] of [['a space before', ` ${token}`], ['Bearer before', `Bearer ${token}`], ['a byte order mark', `\ufeff${token}`]]) {
    refused.push([title, other, malformed('header: not base64url without padding')]);
  }
  for (const other of [`${token}.`, `.${token}`, `${token}.${parts[2]}`, '', '.', '..', '...', 'a.b.c.d.e', `.${parts[1]}.${parts[2]}`]) {
    refused.push([`segments: ${other.replaceAll(/[\w-]{4,}/g, '…')}`, other, THREE]);
  }
  return { token, refused };
}

function extensions() {
  const headers = [
    { crit: ['exp'] }, { crit: ['exp'], exp: NOW + 1 }, { crit: [] }, { crit: null }, { crit: 'b64' }, { crit: ['b64'], b64: false }, { crit: ['b64'], b64: true },
    { crit: ['http://example.com/x'], 'http://example.com/x': 1 }, { b64: false }, { b64: true }, { b64: null }, { crit: ['alg'] }, { crit: { b64: 1 } },
  ];
  return headers.map((header) => [JSON.stringify(header), hs256(CLAIMS, header), CRITICAL]);
}

const without = (...names) => JSON.stringify(Object.fromEntries(Object.entries(CLAIMS).filter(([name]) => !names.includes(name)))).slice(0, -1);
function types() {
  const refused = [];
  const wrong = (claim, value, expected) =>
    refused.push([`${claim} is ${value}`, hs256(`${without(claim)},"${claim}":${value}}`), refusal('wrong_claim_type', `claim ${claim}: expected ${expected}`, { claim })]);
  for (const claim of ['exp', 'nbf', 'iat']) {
    for (const value of [`"${NOW + 60}"`, '""', 'null', 'true', 'false', `[${NOW + 60}]`, '{}', '{"valueOf":1}']) wrong(claim, value, 'a number');
  }
  for (const claim of ['sub', 'jti', 'sid']) for (const value of ['1', 'null', 'true', '["a"]', '{}']) wrong(claim, value, 'a string');
  for (const value of ['1', 'null', 'true', '{}', `{"0":"${AUDIENCE}"}`, `["${AUDIENCE}",1]`, `["${AUDIENCE}",null]`, `[["${AUDIENCE}"]]`]) {
    wrong('aud', value, 'a string or a list of strings');
  }
  for (const value of ['1', 'null', '{}', `["${ISSUER}"]`]) {
    refused.push([`iss is ${value}`, hs256(`${without('iss')},"iss":${value}}`), malformed('payload: iss is not a string')]);
  }
  for (const value of ['', '1', ' ', '[]']) {
    if (value) refused.push([`typ is ${value === ' ' ? 'null' : value}`, hs256(CLAIMS, { typ: value === ' ' ? null : JSON.parse(value) }), malformed('header: typ is not a string')]);
  }
  return refused;
}

function numbers() {
  const text = without('exp', 'iat');
  const expired = (exp) => ({ code: 'TOKEN_EXPIRED', reason: 'token_expired', claim: 'exp', message: `token expired at ${exp}, it is ${NOW}` });
  const early = (from) => ({ code: 'TOKEN_NOT_YET_VALID', reason: 'token_not_yet_valid', message: `token is valid from ${from}, it is ${NOW}` });
  const refused = [];
  const MIN = '-9223372036854775808';
  const MAX = '9223372036854775807';
  for (const [exp, seconds] of [
    ['-1e308', MIN], ['-9223372036854775808', MIN], ['-9223372036854775809', MIN], ['-1', '-1'], ['0', '0'], ['-0.0', '0'], ['1e-308', '0'], ['-1e-308', '-1'],
    [`${NOW}`, `${NOW}`], [`${NOW}.999`, `${NOW}`], [`${NOW / 1e9}e9`, `${NOW}`],
  ]) {
    refused.push([`exp ${exp}`, hs256(`${text},"exp":${exp}}`), expired(seconds)]);
  }
  for (const claim of ['nbf', 'iat']) {
    for (const [value, seconds] of [['1e308', MAX], ['9223372036854775807', MAX], ['18446744073709551615', MAX], ['18446744073709551616', MAX], [`${NOW + 1}`, `${NOW + 1}`]]) {
      refused.push([`${claim} ${value}`, hs256(`${text},"exp":1e308,"${claim}":${value}}`), early(seconds)]);
    }
  }
  for (const number of ['1e309', '-1e309', '1e999', 'NaN', 'Infinity', '-Infinity', '0x10', '1_0', '01', '1.', '.5', '+1', '1e', '١٢٣']) {
    refused.push([`exp ${number}`, hs256(`${text},"exp":${number}}`), malformed('payload: not JSON')]);
  }
  const accepted = ['1e308', MAX, '9223372036854775808', '18446744073709551615', '18446744073709551616', `${NOW}5e-1`, `${NOW + 1}.5e0`]
    .filter((exp) => Number(exp) >= NOW + 1)
    .map((exp) => [`exp ${exp}`, hs256(`${text},"exp":${exp}}`)]);
  for (const low of ['-1e308', MIN, '0', '-0.0', '1e-308', `${NOW}`]) {
    accepted.push([`nbf and iat ${low}`, hs256(`${text},"exp":1e308,"nbf":${low},"iat":${low}}`)]);
  }
  return { refused, accepted };
}

function size() {
  const depth = (open, close, times) => `${JSON.stringify(CLAIMS).slice(0, -1)},"x":${open.repeat(times)}1${close.repeat(times)}}`;
  const deepHeader = (open, close, times) => `{"alg":"HS256","x":${open.repeat(times)}1${close.repeat(times)}}`;
  const notJson = (part) => malformed(`${part}: not JSON`);
  const long = (text, length) => [`${length} bytes of ${JSON.stringify(text.slice(0, 2))}`, text, tooLong(length)];
  const whole = (times) => hs256(claimsText(`"x":"${'x'.repeat(times)}"`));
  const most = Math.floor((8192 - whole(0).length) * 3 / 4);
  const accepted = [['a token of almost the greatest length', whole(most - 2)], ['100 lists in each other', hs256(depth('[', ']', 100))]];
  const refused = [
    ['2500 lists in each other', hs256(depth('[', ']', 2500)), notJson('payload')],
    ['800 objects in each other', hs256(depth('{"a":', '}', 800)), notJson('payload')],
    ['lists that never end', hs256(`${JSON.stringify(CLAIMS).slice(0, -1)},"x":${'['.repeat(5000)}`), notJson('payload')],
    ['2500 lists in the header', hs256(CLAIMS, deepHeader('[', ']', 2500)), notJson('header')],
    ['800 objects in the header', hs256(CLAIMS, deepHeader('{"a":', '}', 800)), notJson('header')],
    ['a header that never ends', hs256(CLAIMS, '{"alg":'.repeat(700)), notJson('header')],
    ['a token one byte too long', whole(most + 8), tooLong(whole(most + 8).length)],
    long('a'.repeat(8193), 8193), long('.'.repeat(8193), 8193), long('a.'.repeat(500_000), 1_000_000),
    long('\u00e9'.repeat(4097), 8194), long('\u20ac'.repeat(9000), 27_000), long('\u{1f600}'.repeat(3000), 12_000),
  ];
  return { refused, accepted };
}

function payloads() {
  const noObject = malformed('payload: not a JSON object');
  const notJson = malformed('payload: not JSON');
  const text = JSON.stringify(CLAIMS);
  return [
    ...['[]', '"x"', 'null', '5', 'true', ' ', '', `[${text}]`, JSON.stringify(text), 'sub=you', '\u00a0{}', `\ufeff${text}`]
      .map((payload) => [`no object: ${payload.slice(0, 12)}`, hs256(payload), noObject]),
    ...['{', '{}{}', `${text}x`, `${text}\0`, `${text.slice(0, -1)},}`, text.replaceAll('"', "'"), '{sub:1}', '{"sub":}', '{/**/}', `${text}\n//`]
      .map((payload) => [`no JSON: ${payload.slice(0, 4)}…${payload.slice(-4)}`, hs256(payload), notJson]),
    ...['[]', 'null', '"HS256"', 'HS256'].map((header) => [`header: ${header}`, hs256(CLAIMS, header), malformed('header: not a JSON object')]),
    ...['{"alg":"HS256"}{}', '{"alg":"HS256",}', '{"alg":"HS256"}\0', "{'alg':'HS256'}"].map((header) => [`header: ${header}`, hs256(CLAIMS, header), malformed('header: not JSON')]),
  ];
}

function utf8() {
  const start = Buffer.from(`${JSON.stringify(CLAIMS).slice(0, -1)},"x":"`);
  const around = (bytes) => Buffer.concat([start, Buffer.from(bytes), Buffer.from('"}')]);
  const header = (bytes) => Buffer.concat([Buffer.from('{"alg":"HS256","x":"'), Buffer.from(bytes), Buffer.from('"}')]);
  const faults = {
    'a lone continuation': [0x80], 'a start without its rest': [0xc3], 'an overlong slash': [0xc0, 0xaf], 'an overlong zero': [0xc0, 0x80], 'half a surrogate': [0xed, 0xa0, 0x80],
    'two halves of a surrogate pair': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], 'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80], '0xff': [0xff],
  };
  const refused = [['UTF-16', hs256(Buffer.from(`\ufeff${JSON.stringify(CLAIMS)}`, 'utf16le')), malformed('payload: not UTF-8')]];
  for (const [title, bytes] of Object.entries(faults)) {
    refused.push([title, hs256(around(bytes)), malformed('payload: not UTF-8')], [`header: ${title}`, hs256(CLAIMS, header(bytes)), malformed('header: not UTF-8')]);
  }
  // Half a surrogate pair as an escape is JSON text that stands for no text.
  refused.push(['half a surrogate as an escape', hs256(claimsText('"x":"\\ud800"')), malformed('payload: not JSON')]);
  return refused;
}

function prototypes() {
  const nested = claimsText('"__proto__":{"admin":true},"nested":{"__proto__":{"admin":true}},"constructor":{"prototype":{"admin":true}},"toString":null,"hasOwnProperty":1');
  return {
    accepted: [['claims and header', hs256(nested, '{"alg":"HS256","__proto__":{"admin":true,"alg":"none"}}'), nested]],
    refused: [
      ['alg on a prototype', hs256(CLAIMS, '{"__proto__":{"alg":"HS256"}}'), malformed('header: alg is missing')],
      ['exp on a prototype', hs256(`${without('exp')},"__proto__":{"exp":9999999999}}`), refusal('missing_claim', 'claim exp is missing', { claim: 'exp' })],
      ['aud on a prototype', hs256(`${without('aud')},"__proto__":{"aud":"${AUDIENCE}"}}`), refusal('missing_claim', 'claim aud is missing', { claim: 'aud' })],
    ],
  };
}

function secrets() {
  const mistakes = publicForms().map(([form, bytes]) => [form, options({ key: encoded(bytes) }), 'key: secret is a PEM, JWK, SSH or DER key or certificate, expected random bytes']);
  const short = (algorithm, length) => [
    `${length} bytes for ${algorithm}`, options({ algorithms: [algorithm], key: encoded(Buffer.alloc(length, 7)) }),
    `key: secret has ${length} bytes, expected at least ${algorithm.slice(2) / 8}`,
  ];
  return [...mistakes, short('HS256', 31), short('HS384', 47), short('HS512', 63)];
}

/** All groups. `lure` is the URL of a server that must never be asked; `now` is for a verifier whose clock cannot be set. */
export function attackGroups(lure, now = STANDARD_NOW) {
  NOW = now;
  CLAIMS = { ...STANDARD_CLAIMS, exp: now + 600, iat: now - 10 };
  const one = spellings();
  const extreme = numbers();
  const big = size();
  const odd = prototypes();
  const named = options({ key: { kty: 'oct', k: segment(secret), kid: 'mine' } });
  const honest = hs256();
  const own = createPublicKey(pemOf(rsa));
  const groups = [
    { name: 'alg none in all its spellings', reference: 'RFC 8725 §2.1, CVE-2015-9235, CVE-2020-28042', verifier: options(), honest, refused: none() },
    { name: 'a public key as an HMAC secret', reference: 'RFC 8725 §2.1, CVE-2015-9235, CVE-2016-10555, CVE-2022-29217, CVE-2023-48223', verifier: byRsa, honest: rs256(), refused: confusion() },
    { name: 'a public key configured as an HMAC secret, and short secrets', reference: 'RFC 7518 §3.2, RFC 8725 §3.5', verifier: options(), honest, configurations: secrets() },
    { name: 'an algorithm of another kind for a known key', reference: 'RFC 8725 §3.1', verifier: options(), honest, refused: otherAlgorithms() },
    { name: 'a key brought along: jwk, x5c, jku, x5u', reference: 'RFC 8725 §3.10, CVE-2018-0114', verifier: options({ algorithms: ['RS256'], key: own.export({ format: 'jwk' }) }), honest: rs256(CLAIMS, { jku: lure }), refused: carriedKeys(lure) },
    { name: 'a kid that is a path, a query or a prototype', reference: 'RFC 8725 §3.10', verifier: named, honest: hs256(CLAIMS, { kid: 'mine' }), refused: kids() },
    { name: 'empty, null and shortened signatures', reference: 'RFC 2104 §5, CVE-2020-28042', verifier: options(), honest, refused: emptySignatures() },
    { name: 'psychic signatures', reference: 'CVE-2022-21449', verifier: byEc, honest: es256(), refused: psychic() },
    { name: 'ECDSA signatures in other forms', reference: 'RFC 7518 §3.4', verifier: byEc, honest: es256(), refused: der() },
    { name: 'Ed25519 signatures in other forms', reference: 'RFC 8032 §5.1.7', verifier: byEd, honest: eddsa(), refused: ed25519() },
    { name: 'RSA signatures of other lengths and kinds', reference: 'RFC 8017 §8.2.2', verifier: byRsa, honest: rs256(), refused: rsaLengths() },
    { name: 'names that occur twice', reference: 'RFC 7515 §4, RFC 7519 §4, RFC 8259 §4', verifier: options(), honest, refused: duplicates() },
    { name: 'second spellings: spare bits, padding, white space, the other alphabet', reference: 'RFC 7515 §2, RFC 4648 §3', verifier: options(), honest: one.token, refused: one.refused },
    { name: 'crit and b64 in any form', reference: 'RFC 7515 §4.1.11, RFC 7797 §6', verifier: options(), honest, refused: extensions() },
    { name: 'claims of another type', reference: 'RFC 7519 §4.1', verifier: options(), honest, refused: types() },
    { name: 'extreme numbers', reference: 'RFC 7519 §2', verifier: options(), honest, ...extreme },
    { name: 'huge and deeply nested tokens', reference: 'CWE-674, CWE-770, CVE-2025-30204', verifier: options(), honest, ...big },
    { name: 'payloads and headers that are no object or no JSON', reference: 'RFC 7519 §7.2', verifier: options(), honest, refused: payloads() },
    { name: 'invalid UTF-8', reference: 'RFC 7515 §5.2, RFC 8725 §3.7', verifier: options(), honest, refused: utf8() },
    { name: '__proto__ and other names JavaScript gives a meaning to', reference: 'CWE-1321', verifier: options(), honest, ...odd },
  ];
  const fields = (list = []) => list.map(([title, token, expected]) => ({ title, token, expected }));
  return groups.map(({ refused, accepted, configurations = [], ...group }) => ({
    ...group, refused: fields(refused), accepted: fields(accepted),
    configurations: configurations.map(([title, mistaken, message]) => ({ title, options: mistaken, message })),
  }));
}
