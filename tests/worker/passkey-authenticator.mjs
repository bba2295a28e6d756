// An authenticator of WebAuthn, and the browser before it: passkeys in software, for tests. A test can have either of both lie.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const PRESENT = 1;
const VERIFIED = 4;
const ELIGIBLE = 8;
const BACKED_UP = 16;
const CREDENTIAL = 64;

export const FLAGS = { PRESENT, VERIFIED, ELIGIBLE, BACKED_UP };

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** CBOR as CTAP2 writes it: numbers, bytes, texts, and maps in the order in which they are given. */
export function cbor(value) {
  const head = (major, length) => {
    if (length < 24) return Buffer.from([(major << 5) | length]);
    if (length < 256) return Buffer.from([(major << 5) | 24, length]);
    return Buffer.from([(major << 5) | 25, length >> 8, length & 255]);
  };
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Map) return Buffer.concat([head(5, value.size), ...[...value].flat().map(cbor)]);
  return Buffer.concat([head(2, value.length), value]);
}

/** The algorithms that the gate asks for. */
export const ALGORITHMS = {
  ES256: {
    number: -7,
    pair: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    cose: ({ x, y }) => new Map([[1, 2], [3, -7], [-1, 1], [-2, Buffer.from(x, 'base64url')], [-3, Buffer.from(y, 'base64url')]]),
    sign: (key, message) => sign('sha256', message, key),
  },
  EdDSA: {
    number: -8,
    pair: () => generateKeyPairSync('ed25519'),
    cose: ({ x }) => new Map([[1, 1], [3, -8], [-1, 6], [-2, Buffer.from(x, 'base64url')]]),
    sign: (key, message) => sign(null, message, key),
  },
  RS256: {
    number: -257,
    pair: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    cose: ({ n, e }) => new Map([[1, 3], [3, -257], [-1, Buffer.from(n, 'base64url')], [-2, Buffer.from(e, 'base64url')]]),
    sign: (key, message) => sign('sha256', message, key),
  },
};

/** What the browser says. */
const clientData = (said) => Buffer.from(JSON.stringify({ crossOrigin: false, ...said }));

/** What the authenticator says. */
function authenticatorData(rpId, flags, count, made = Buffer.alloc(0)) {
  const counted = Buffer.alloc(4);
  counted.writeUInt32BE(count);
  return Buffer.concat([sha256(rpId), Buffer.from([flags | (made.length > 0 ? CREDENTIAL : 0)]), counted, made]);
}

export class Authenticator {
  /** `counts`: whether it counts its signatures. */
  constructor({ algorithm = 'ES256', origin = 'https://api.example.com', counts = false, flags = PRESENT | VERIFIED } = {}) {
    Object.assign(this, { algorithm, origin, flags });
    this.id = randomBytes(16);
    this.count = counts ? 1 : 0;
    const { publicKey, privateKey } = ALGORITHMS[algorithm].pair();
    this.privateKey = privateKey;
    this.cose = ALGORITHMS[algorithm].cose(publicKey.export({ format: 'jwk' }));
  }

  /** A copy of it, as a thief has it. */
  copy() {
    return Object.assign(Object.create(Authenticator.prototype), this);
  }

  /** What `navigator.credentials.create` gives, as JSON. */
  create({ challenge, rp, user }, { said = {}, rpId = rp.id, flags = this.flags, attests = false, cose = this.cose, edit = (bytes) => bytes } = {}) {
    this.user = user.id;
    const length = Buffer.from([this.id.length >> 8, this.id.length & 255]);
    const authData = authenticatorData(rpId, flags, this.count, Buffer.concat([Buffer.alloc(16), length, this.id, cbor(cose)]));
    const client = clientData({ type: 'webauthn.create', challenge, origin: this.origin, ...said });
    const statement = attests
      ? new Map([['alg', ALGORITHMS[this.algorithm].number], ['sig', ALGORITHMS[this.algorithm].sign(this.privateKey, Buffer.concat([authData, sha256(client)]))]])
      : new Map();
    const attestation = cbor(new Map([['fmt', attests ? 'packed' : 'none'], ['attStmt', statement], ['authData', authData]]));
    return this.credential({ clientDataJSON: base64url(client), attestationObject: base64url(edit(attestation)), transports: ['internal'] });
  }

  /** What `navigator.credentials.get` gives, as JSON. */
  get({ challenge, rpId: asked }, { said = {}, rpId = asked, flags = this.flags, count, user = this.user, edit = (bytes) => bytes, key = this.privateKey } = {}) {
    if (this.count > 0) this.count += 1;
    const data = authenticatorData(rpId, flags, count ?? this.count);
    const client = clientData({ type: 'webauthn.get', challenge, origin: this.origin, ...said });
    const signature = edit(ALGORITHMS[this.algorithm].sign(key, Buffer.concat([data, sha256(client)])));
    return this.credential({ clientDataJSON: base64url(client), authenticatorData: base64url(data), signature: base64url(signature), userHandle: user });
  }

  /** The answer around it. */
  credential(response) {
    const id = base64url(this.id);
    return { id, rawId: id, type: 'public-key', response, clientExtensionResults: {}, authenticatorAttachment: 'platform' };
  }
}
