// The keys of the differential test: the same in every run, so that a seed gives the same tokens again (but for the
// randomness in ECDSA and PSS signatures). All of them are public: none protects anything.

import { createECDH, createHash, createPrivateKey, createPublicKey } from 'node:crypto';

/** RFC 7517 appendix A.2. */
const RSA = {
  kty: 'RSA',
  e: 'AQAB',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  d: 'X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q',
  p: '83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs',
  q: '3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk',
  dp: 'G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF402XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0',
  dq: 's9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk',
  qi: 'GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0KWNGDjJHZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU',
};

const scalar = (name, length) => {
  const bytes = createHash('shake256', { outputLength: length }).update(`edgegate differential test ${name}`).digest();
  // Below the order of every curve.
  bytes[0] = 0;
  return bytes;
};

function ec(crv, curve, length) {
  const d = scalar(crv, length);
  const ecdh = createECDH(curve);
  ecdh.setPrivateKey(d);
  const point = ecdh.getPublicKey();
  const [x, y] = [point.subarray(1, 1 + length), point.subarray(1 + length)].map((half) => half.toString('base64url'));
  return { kty: 'EC', crv, x, y, d: d.toString('base64url') };
}

/** The PKCS#8 form of an Ed25519 seed: Node takes no JWK without the public half. */
const ed25519 = () => createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), scalar('Ed25519', 32)]), format: 'der', type: 'pkcs8',
});

const pair = (privateKey) => ({ privateKey, publicKey: createPublicKey(privateKey) });
const ofJwk = (key) => pair(createPrivateKey({ key, format: 'jwk' }));

const rsa = ofJwk(RSA);
const pairs = {
  RS256: rsa, RS384: rsa, RS512: rsa, PS256: rsa, PS384: rsa, PS512: rsa,
  ES256: ofJwk(ec('P-256', 'prime256v1', 32)), ES384: ofJwk(ec('P-384', 'secp384r1', 48)), ES512: ofJwk(ec('P-521', 'secp521r1', 66)),
  EdDSA: pair(ed25519()),
};

const secret = (algorithm) => {
  const bytes = scalar(algorithm, Number(algorithm.slice(2)) / 8);
  return { privateKey: bytes, publicKey: bytes };
};
const secrets = Object.fromEntries(['HS256', 'HS384', 'HS512'].map((algorithm) => [algorithm, secret(algorithm)]));

export const ALGORITHMS = [...Object.keys(secrets), ...Object.keys(pairs)];
export const isHmac = (algorithm) => algorithm in secrets;
/** Returns `{privateKey, publicKey}`. For HMAC both are the secret. */
export const keyOf = (algorithm) => secrets[algorithm] ?? pairs[algorithm];
