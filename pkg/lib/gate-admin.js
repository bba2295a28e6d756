import { expectedName } from './check.js';
import { EdgegateError } from './errors.js';

/** Members that have another name in the core. The names of limits are not translated. */
const CORE_NAMES = {
  expiresInSecs: 'expires_in_secs', importedSha256: 'imported_sha256', overlapSecs: 'overlap_secs', keyId: 'key_id', passwordHash: 'password_hash',
  dropFactors: 'drop_factors', requireReset: 'require_reset', resetRequired: 'reset_required',
};
const OWN_NAMES = Object.fromEntries(Object.entries(CORE_NAMES).map(([own, core]) => [core, own]));
/** A member's name alone or at the beginning of a path, which is not the name of a limit. */
const CORE_NAME = new RegExp(`(?<![\\w.-])(?:${Object.keys(OWN_NAMES).join('|')})(?![\\w.-])`, 'g');

const SHARED = ['name', 'owner', 'scopes', 'limits', 'ips', 'expiresInSecs'];
const KEY_ID_BYTES = 16;
/** The same bound as in the Worker. The largest sensible request, to revoke a token of 8 KiB, is far smaller. */
const MAX_REQUEST = 64 * 1024;

/** `Gate.keys` of index.d.ts. */
export class KeyAdministration {
  #ask;
  #randomBytes;

  /** `ask(what, members)` makes a request to the engine. */
  constructor(ask, randomBytes) {
    this.#ask = ask;
    this.#randomBytes = randomBytes;
  }

  async mint(key) {
    return this.#answer('mintKey', { body: bodyOf(key, [...SHARED, 'prefix']), random: this.#random() });
  }

  async import(key) {
    const body = bodyOf(key, [...SHARED, 'importedSha256']);
    if (body.imported_sha256 === undefined || body.imported_sha256 === null) throw invalid('importedSha256', 'is required');
    return this.#answer('mintKey', { body, random: this.#random() });
  }

  async list(query = {}) {
    const { keys, cursor } = await this.#ask('listKeys', { body: bodyOf(query, ['owner', 'cursor', 'limit']) });
    return pageOf('keys', keys, cursor);
  }

  async get(id) {
    return this.#answer('getKey', { id: idOf(id) });
  }

  async update(id, changes) {
    return this.#answer('updateKey', { id: idOf(id), body: bodyOf(changes, [...SHARED, 'disabled']) });
  }

  async rotate(id, options = {}) {
    return this.#answer('rotateKey', { id: idOf(id), body: bodyOf(options, ['overlapSecs']), random: this.#random() });
  }

  async revoke(id) {
    return this.#answer('revokeKey', { id: idOf(id) });
  }

  async #answer(what, members) {
    return shown(await this.#ask(what, members));
  }

  #random() {
    return Array.from(this.#randomBytes(KEY_ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

const REVOCATION = [
  'token', 'iss', 'jti', 'exp', 'sub', 'before', 'sid', 'kid', 'keyId', 'all', 'withdrawn', 'reason', 'expiresInSecs',
];

/** `Gate.revocations` of index.d.ts. */
export class RevocationAdministration {
  #ask;

  constructor(ask) {
    this.#ask = ask;
  }

  async add(revocation) {
    return shown(await this.#ask('addRevocation', { body: bodyOf(revocation, REVOCATION) }));
  }

  async list(query = {}) {
    const { revocations, cursor } = await this.#ask('listRevocations', { body: bodyOf(query, ['cursor', 'limit']) });
    return pageOf('revocations', revocations, cursor);
  }

  async get(id) {
    return shown(await this.#ask('getRevocation', { id: idOf(id) }));
  }

  async remove(id) {
    await this.#ask('removeRevocation', { id: idOf(id) });
  }
}

/** The text of a request to the engine. */
export function requestOf(what, members) {
  const text = JSON.stringify({ [what]: members });
  if (text.length > MAX_REQUEST) throw invalid('', `expected at most ${MAX_REQUEST} characters`);
  return text;
}

/** Returns the core's error with the names that members have in this package. */
export function inOwnNames(error) {
  const { code, reason, message, path } = error;
  if (code !== 'INVALID_REQUEST') return error;
  return new EdgegateError({
    code, reason, message: message.replace(CORE_NAME, (name) => OWN_NAMES[name]), path: path && (OWN_NAMES[path] ?? path),
  });
}

/**
 * Returns the members with the core's names. Refuses a value that JSON would drop or turn into null: a lifetime of `NaN` must not become an
 * endless one.
 */
export function bodyOf(given, known) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid('', 'expected an object');
  const body = {};
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) {
      const place = /^[\w-]{1,40}$/.test(name) ? name : '?';
      throw invalid(place, `is not a known field, expected ${expectedName(known, name)}`);
    }
    if (value === undefined) continue;
    body[CORE_NAMES[name] ?? name] = plain(value, name);
  }
  return body;
}

function plain(value, path) {
  const whole = (_, member) => {
    if (typeof member === 'number' && !Number.isFinite(member)) throw new TypeError('no number');
    return member;
  };
  let text;
  try {
    text = JSON.stringify(value, whole);
  } catch {
    // The error is thrown below.
  }
  if (text === undefined) throw invalid(path, 'expected what JSON can hold');
  return JSON.parse(text);
}

export function idOf(id) {
  if (typeof id !== 'string') throw invalid('id', 'expected a string');
  return id;
}

/** Returns what the core shows, without the version of the stored form. */
function shown({ v, ...members }) {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [camelCase(name), value]));
}

const camelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

const pageOf = (name, items, cursor) => ({ [name]: items.map(shown), cursor: cursor ?? undefined });

const invalid = (path, problem) => new EdgegateError({
  code: 'INVALID_REQUEST', reason: 'invalid_field', message: path ? `${path}: ${problem}` : problem, path: path || undefined,
});
