// `.dev.vars`: the secrets of local runs. Missing ones are added; the others stay as they are.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

/** The names of the example policy in wrangler.toml. */
export const NAMES = ['JWT_SECRET', 'API_KEY_SECRET', 'ADMIN_TOKEN', 'SESSION_SECRET', 'BATCH_CLIENT_SECRET'];

/** As long as the output of SHA-256 (RFC 7518 §3.2). */
const SECRET_BYTES = 32;
const OWNER_ONLY = 0o600;

/** A text with enough random bytes to serve as a key. */
export const randomSecret = () => randomBytes(SECRET_BYTES).toString('base64url');

/** Adds a random value for each name that the file lacks. Returns all values by their names. */
export function ensure(file) {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const { text, added } = complete(before, randomSecret);
  if (added.length > 0) {
    writePrivate(file, text);
    console.error(`wrote random values for ${added.join(', ')} to .dev.vars`);
  }
  return Object.fromEntries(NAMES.map((name) => [name, value(text, name)]));
}

/** Returns the text with a line for each missing name, and those names. */
export function complete(text, newSecret) {
  const added = NAMES.filter((name) => value(text, name) === undefined);
  const end = added.length === 0 || text === '' || text.endsWith('\n') ? '' : '\n';
  return { text: text + end + added.map((name) => `${name}=${newSecret()}\n`).join(''), added };
}

/** The value of a name as wrangler reads it: the last line wins, quotes are taken off, an empty value is none. */
export function value(text, name) {
  const found = text.split('\n').map((line) => /^\s*(?:export )?([^=]*)=(.*)$/s.exec(line)).filter((match) => match?.[1].trim() === name);
  return unquoted(found.at(-1)?.[2].trim() ?? '') || undefined;
}

function unquoted(text) {
  const [, , inner] = /^(["'`])(.*?)\1/s.exec(text) ?? [];
  return inner ?? text.split(' #')[0].trimEnd();
}

/** Writes a file that only its owner can read. */
export function writePrivate(file, text) {
  if (existsSync(file)) chmodSync(file, OWNER_ONLY);
  writeFileSync(file, text, { mode: OWNER_ONLY });
}
