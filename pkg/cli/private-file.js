import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const OWNER_ONLY = 0o600;

/**
 * Writes a file that only its owner can read. It is written beside its place and moved there: what stands there, also a link to
 * somewhere else, is replaced and never written through, and half a file is never seen.
 */
export function writePrivate(file, text) {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const beside = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    writeFileSync(beside, text, { mode: OWNER_ONLY, flag: 'wx' });
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** Takes a file that is there away from all but its owner. */
export function makePrivate(file) {
  if (existsSync(file)) chmodSync(file, OWNER_ONLY);
}
