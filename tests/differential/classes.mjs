// Decides whether a token belongs to a class of `disagreements.json`. It looks at the token itself, and uses no verifier.

import { NOW } from './generate.mjs';

/** The names of every object in a JSON text that parses; `true` if one has a name twice. */
function hasDuplicate(text) {
  const stack = [];
  let duplicate = false;
  for (const [symbol] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const top = stack.at(-1);
    if (symbol === '{') stack.push({ names: new Set(), expectsName: true });
    else if (symbol === '[') stack.push(null);
    else if (symbol === '}' || symbol === ']') stack.pop();
    else if (symbol === ',' && top) top.expectsName = true;
    else if (symbol === ':' && top) top.expectsName = false;
    else if (symbol.startsWith('"') && top?.expectsName) {
      const name = JSON.parse(symbol);
      duplicate ||= top.names.has(name);
      top.names.add(name);
    }
  }
  return duplicate;
}

function depthOf(text) {
  let [depth, most] = [0, 0];
  for (const [symbol] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (symbol === '{' || symbol === '[') depth += 1;
    else if (symbol === '}' || symbol === ']') depth -= 1;
    most = Math.max(most, depth);
  }
  return most;
}

const isUtf8 = (bytes) => Buffer.from(bytes.toString('utf8')).equals(bytes);
const hasBom = (bytes) => bytes.subarray(0, 3).equals(Buffer.from('\ufeff'));
/** Half of a surrogate pair in a string or name; also in one of two members of the same name. */
const hasLoneSurrogate = (text) => (text.match(/"(?:[^"\\]|\\.)*"/g) ?? []).some((string) => {
  try {
    return !JSON.parse(string).isWellFormed();
  } catch {
    return false;
  }
});
const hasInfinity = (text) => text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').split(/[\s[\]{},:]+/).some((symbol) => /^-?\d/.test(symbol) && Math.abs(Number(symbol)) === Infinity);

function part(segment = '') {
  // Decodes leniently, as some libraries do. A byte order mark stays in the bytes and is removed from the text.
  const bytes = Buffer.from(segment, 'base64url');
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const members = typeof value === 'object' && value !== null ? value : {};
  return { segment, bytes, text, members };
}

const FOREIGN = /[^A-Za-z0-9_-]/;
const isFraction = (value) => typeof value === 'number' && !Number.isInteger(value);
const isFalsy = (members, name) => Object.hasOwn(members, name) && !members[name];

/** For each class, whether the token has its peculiarity. `token` is `{header, claims, signature, text, rules, algorithm}`. */
export const HOLDS = {
  'claim-twice': ({ claims }) => hasDuplicate(claims.text),
  'header-member-twice': ({ header }) => hasDuplicate(header.text),
  'claims-no-utf8': ({ claims }) => !isUtf8(claims.bytes),
  'header-no-utf8': ({ header }) => !isUtf8(header.bytes),
  'byte-order-mark': ({ header, claims }) => hasBom(header.bytes) || hasBom(claims.bytes),
  'lone-surrogate': ({ header, claims }) => hasLoneSurrogate(header.text) || hasLoneSurrogate(claims.text),
  'number-beyond-doubles': ({ claims }) => hasInfinity(claims.text),
  'deep-nesting': ({ claims }) => depthOf(claims.text) > 127,
  'long-token': ({ text }) => Buffer.byteLength(text) > 8192,
  'spare-bits': ({ signature }) => !FOREIGN.test(signature.segment) && signature.bytes.toString('base64url') !== signature.segment,
  'foreign-characters': ({ signature }) => FOREIGN.test(signature.segment),
  crit: ({ header }) => Boolean(header.members.crit),
  'crit-falsy': ({ header }) => isFalsy(header.members, 'crit'),
  'crit-b64-true': ({ header }) => header.members.b64 === true && `${header.members.crit}` === 'b64',
  'b64-alone': ({ header }) => Object.hasOwn(header.members, 'b64') && !Object.hasOwn(header.members, 'crit'),
  'kid-no-string': ({ header }) => Object.hasOwn(header.members, 'kid') && typeof header.members.kid !== 'string',
  'kid-long': ({ header }) => header.members.kid?.length > 256,
  'typ-no-string': ({ header }) => Object.hasOwn(header.members, 'typ') && typeof header.members.typ !== 'string',
  'typ-rule': ({ header, rules }) => rules === 'typ' && !/^(application\/)?at\+jwt$/i.test(header.members.typ),
  'name-no-string': ({ claims }) => ['sub', 'jti', 'sid'].some((name) => Object.hasOwn(claims.members, name) && typeof claims.members[name] !== 'string'),
  'iat-no-number': ({ claims }) => Object.hasOwn(claims.members, 'iat') && typeof claims.members.iat !== 'number',
  'aud-mixed': ({ claims }) => Array.isArray(claims.members.aud) && claims.members.aud.some((one) => typeof one !== 'string'),
  'exp-missing': ({ claims }) => !Object.hasOwn(claims.members, 'exp'),
  'exp-now': ({ claims, rules }) => claims.members.exp === NOW || (rules === 'tolerance' && claims.members.exp === NOW - 5),
  'exp-fraction': ({ claims }) => isFraction(claims.members.exp),
  'iat-future': ({ claims }) => claims.members.iat > NOW,
  'ed25519-missing': ({ algorithm }) => algorithm === 'EdDSA',
  'ed25519-name': ({ header }) => header.members.alg === 'Ed25519',
  'max-age-exact': ({ claims, rules }) => rules === 'max-age' && claims.members.iat === NOW - 300,
  'iat-fraction-of-now': ({ claims, rules }) => rules === 'max-age' && isFraction(claims.members.iat) && Math.floor(claims.members.iat) === NOW,
  'header-latin1': ({ header }) => header.bytes.some((byte) => byte >= 0x80),
};

export function view({ token, rules, algorithm }) {
  const [header, claims, signature] = token.split('.');
  return { text: token, rules, algorithm, header: part(header), claims: part(claims), signature: part(signature) };
}

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);

/** Returns the disagreements about a token: `{peer, edgegate: 'refuses' | 'accepts' | 'reads', says}`. `says` tells who refuses and why. */
export function disagreements(verdicts) {
  const { edgegate: ours, ...peers } = verdicts;
  const found = [];
  for (const [peer, theirs] of Object.entries(peers)) {
    if (ours.accepts && !theirs.accepts) found.push({ peer, edgegate: 'accepts', says: `${theirs.error.code ?? theirs.error.name}: ${theirs.error.message}` });
    else if (!ours.accepts && theirs.accepts) found.push({ peer, edgegate: 'refuses', says: `${ours.error.reason}: ${ours.error.message}` });
    else if (ours.accepts && !(same(ours.claims, theirs.claims) && same(ours.header, theirs.header))) found.push({ peer, edgegate: 'reads', says: '' });
  }
  return found;
}

/** Returns the class that explains a disagreement: the same peer, direction and message, and the token belongs to it. */
export function explain(classes, token, { peer, edgegate, says }) {
  const seen = view(token);
  return classes.find((one) =>
    one.edgegate === edgegate && one.others.includes(peer) && new RegExp(one.says ?? '', 'u').test(says) && HOLDS[one.class](seen));
}
