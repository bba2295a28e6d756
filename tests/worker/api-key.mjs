// API keys in the documented format, written independently of the gate's own code:
//
// <prefix>_<environment>_<body><checksum> body      38 bytes as 52 base62 digits: version 1, signing-key id, key id (16), expiry in unix
// minutes (4, 0 = none), tag (16) tag       the first 16 bytes of HMAC-SHA-256(secret, "edgegate-api-key-v1" 00 prefix "_" environment 00
// first 22 bytes of the body) checksum  CRC-32 (IEEE) of all before it, as 6 base62 digits

import { createHmac, randomBytes } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function base62(number, length) {
  let text = '';
  for (let rest = BigInt(number); rest > 0n; rest /= 62n) text = DIGITS[Number(rest % 62n)] + text;
  return text.padStart(length, '0');
}

export function crc32(text) {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Puts the right checksum behind a key without one. */
export const withChecksum = (text) => text + base62(crc32(text), 6);

/** Mints a key. Every part can be given, also a wrong one. */
export function mintKey({
  secret,
  prefix = 'sk',
  environment = 'test',
  version = 1,
  signingKey = 1,
  id = randomBytes(16),
  expiryMinutes = 0,
  tag,
}) {
  const signed = Buffer.alloc(22);
  signed[0] = version;
  signed[1] = signingKey;
  id.copy(signed, 2);
  signed.writeUInt32BE(expiryMinutes, 18);
  const label = Buffer.from(`edgegate-api-key-v1\0${prefix}_${environment}\0`);
  const mac = createHmac('sha256', secret).update(label).update(signed).digest().subarray(0, 16);
  const body = Buffer.concat([signed, tag ?? mac]);
  return withChecksum(`${prefix}_${environment}_${base62(`0x${body.toString('hex')}`, 52)}`);
}

/** The id by which records and revocations name a key. */
export function keyIdOf(key) {
  let number = 0n;
  for (const digit of key.slice(-58, -6)) number = number * 62n + BigInt(DIGITS.indexOf(digit));
  return number.toString(16).padStart(76, '0').slice(4, 36);
}
