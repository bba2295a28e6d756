// Tokens made in the page, by the browser's WebCrypto, for the example and for measuring.

const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const encodeJson = (value) => encode(new TextEncoder().encode(JSON.stringify(value)));

const KINDS = {
  HS256: { name: 'HMAC', hash: 'SHA-256', length: 256 },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
};

/** A new key, as `{sign(claims), jwk}` where the JWK is the verifying half. */
export async function newKey(alg, kid) {
  const kind = KINDS[alg];
  const generated = await crypto.subtle.generateKey(kind, true, ['sign', 'verify']);
  const { kty, crv, n, e, x, y, k } = await crypto.subtle.exportKey('jwk', generated.publicKey ?? generated);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, n, e, x, y, k, alg, kid }));
  return {
    jwk,
    async sign(claims) {
      const input = `${encodeJson({ alg, typ: 'JWT', kid })}.${encodeJson(claims)}`;
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
