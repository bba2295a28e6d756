// `.dev.vars`: the secrets of local runs, as wrangler reads it. Missing ones are added; the others stay as they are.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

import { makePrivate, writePrivate } from './private-file.js';

/** As long as the output of SHA-256 (RFC 7518 §3.2). */
const SECRET_BYTES = 32;

/** A text with enough random bytes to serve as a key. */
export const randomSecret = () => randomBytes(SECRET_BYTES).toString('base64url');

export const readVars = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Adds a value for each of these names that the file lacks. Returns all values by their names, and which were added. */
export function ensureVars(file, names, newSecret = randomSecret) {
  const { text, added } = complete(readVars(file), names, newSecret);
  if (added.length > 0) writePrivate(file, text);
  else makePrivate(file);
  return { values: Object.fromEntries(names.map((name) => [name, value(text, name)])), added };
}

/** Returns the text with a line for each missing name, and those names. */
export function complete(text, names, newSecret) {
  const added = names.filter((name) => value(text, name) === undefined);
  const end = added.length === 0 || text === '' || text.endsWith('\n') ? '' : '\n';
  return { text: text + end + added.map((name) => `${name}=${quoted(newSecret(name))}\n`).join(''), added };
}

/** A JWK set has quotes of its own. */
const quoted = (secret) => (secret.includes('"') ? `'${secret}'` : secret);

/** The value of a name as wrangler reads it: the last line wins, quotes are taken off, an empty value is none. */
export function value(text, name) {
  const found = text.split('\n').map((line) => /^\s*(?:export )?([^=]*)=(.*)$/s.exec(line)).filter((match) => match?.[1].trim() === name);
  return unquoted(found.at(-1)?.[2].trim() ?? '') || undefined;
}

function unquoted(text) {
  const [, , inner] = /^(["'`])(.*?)\1/s.exec(text) ?? [];
  return inner ?? text.split(' #')[0].trimEnd();
}
