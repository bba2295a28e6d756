// Keys and tokens made in the page, by the browser's WebCrypto: for examples, for measuring, and in the place of an issuer.

const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const encodeJson = (value) => encode(new TextEncoder().encode(JSON.stringify(value)));

const CURVES = { 256: 'P-256', 384: 'P-384', 512: 'P-521' };
const RSA = { RS: 'RSASSA-PKCS1-v1_5', PS: 'RSA-PSS' };

/** What WebCrypto calls an algorithm. */
function kindOf(alg) {
  if (alg === 'EdDSA' || alg === 'Ed25519') return { name: 'Ed25519' };
  const [family, bits] = [alg.slice(0, 2), Number(alg.slice(2))];
  const hash = `SHA-${bits}`;
  if (family === 'HS') return { name: 'HMAC', hash, length: bits };
  if (family === 'ES') return { name: 'ECDSA', namedCurve: CURVES[bits], hash };
  return { name: RSA[family], hash, saltLength: bits / 8, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
}

/** A new key, as `{sign(claims, header), jwk, verifying, kind}` where the JWK is the verifying half. */
export async function newKey(alg, kid) {
  const kind = kindOf(alg);
  const generated = await crypto.subtle.generateKey(kind, true, ['sign', 'verify']);
  const verifying = generated.publicKey ?? generated;
  const { kty, crv, n, e, x, y, k } = await crypto.subtle.exportKey('jwk', verifying);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, n, e, x, y, k, alg, kid }));
  return {
    jwk,
    verifying,
    kind,
    async sign(claims, header = {}) {
      const input = `${encodeJson({ alg, typ: 'JWT', kid, ...header })}.${encodeJson(claims)}`;
      const signature = await crypto.subtle.sign(kind, generated.privateKey ?? generated, new TextEncoder().encode(input));
      return `${input}.${encode(new Uint8Array(signature))}`;
    },
  };
}

export const ISSUER = 'https://issuer.example/';
export const AUDIENCE = 'https://api.example.com';

/** A token that is good for ten minutes, with the key that says so. */
export async function example() {
  const { jwk, sign } = await newKey('ES256', 'example-1');
  const now = Math.floor(Date.now() / 1000);
  const token = await sign({
    iss: ISSUER, aud: AUDIENCE, sub: 'alice', scope: 'read:posts write:posts', iat: now, nbf: now, exp: now + 600, jti: crypto.randomUUID(),
  });
  return { token, jwk, issuer: ISSUER, audience: AUDIENCE };
}
