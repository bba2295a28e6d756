// The stored forms of docs/revocation.md and STORAGE.md, written from their description. Tests put them into KV in place of the ledger.

import { createHash } from 'node:crypto';

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

const u64 = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const u32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** The key of a revoked token: kind 1. */
export function denyKeyOfToken(iss, jti) {
  const parts = [iss, jti].flatMap((part) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    return [length, part];
  });
  return sha256('edgegate-deny-v1\0', Buffer.from([1]), ...parts);
}

export const fingerprint = (key) => key.readBigUInt64BE(0);

/** A head as the ledger writes it. `base` is `{ generation, blockBits, shards: Buffer[] }`. */
export function head({ generation, publishedAt = Date.now(), entries = 0, base, delta = [] }) {
  const sorted = [...delta].sort((one, other) => (one < other ? -1 : 1));
  const content = Buffer.concat([
    Buffer.from('EGH1'), u64(generation), u64(publishedAt), u64(entries),
    ...(base === undefined
      ? [Buffer.from([255])]
      : [Buffer.from([base.blockBits]), u64(base.generation), ...base.shards.flatMap((shard) => [u32(shard.length), sha256(shard)])]),
    u32(sorted.length), ...sorted.map(u64),
  ]);
  return Buffer.concat([content, sha256(content)]);
}

/** A shard with a filter of one block that finds everything or nothing: its fingerprints are all full or all empty. */
export const emptyShard = () => Buffer.concat([Buffer.from('EGS1'), Buffer.from([1]), u64(0), Buffer.from([0]), u32(0)]);
