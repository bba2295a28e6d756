// Administration of a gate over HTTP: each operation of the table is a method. Nothing here needs the engine.

import { OPERATIONS } from './lib/admin-operations.js';

const TIMEOUT_MS = 30_000;

/** Options that are headers, and no parameters of the URL. */
const HEADERS = { idempotencyKey: 'Idempotency-Key' };

export class AdminError extends Error {
  constructor({ message, code, status, hint, retryAfter }) {
    super(message);
    this.name = 'AdminError';
    Object.assign(this, { code, status, hint, retryAfter });
  }
}

export function createAdminClient({ url, token, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS }) {
  const base = baseOf(url);
  // A secret in a header may not break it.
  if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) throw new TypeError('token: expected the administrator\'s secret');
  const ask = async ([method, path, takesBody], given) => {
    const id = path.includes('{id}') ? idOf(given.shift()) : '';
    const body = takesBody ? given.shift() : undefined;
    const headers = { Authorization: `Bearer ${token}`, Accept: 'application/json' };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(given.shift() ?? {})) {
      if (value === undefined || value === null) continue;
      if (HEADERS[name]) headers[HEADERS[name]] = textOf(value, name);
      else query.set(name, String(value));
    }
    if (body !== undefined) headers['Content-Type'] = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
    const asked = `${base}${path.replace('{id}', id)}${query.size > 0 ? `?${query}` : ''}`;
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    return fetch(asked, { method, headers, body: text, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  };
  const methods = Object.entries(OPERATIONS).map(([name, operation]) => [name, async (...given) => {
    const response = await ask(operation, given);
    if (!response.ok) throw await refusal(response);
    if (name === 'exportRevocations') return ofKind(response, 'application/x-ndjson');
    return response.status === 204 ? undefined : json(response);
  }]);
  return Object.freeze(Object.fromEntries(methods));
}

/** Where the endpoints are, without a slash at the end. The secret goes nowhere over plain http but to this machine. */
function baseOf(url) {
  const { protocol, hostname, origin, pathname, search, hash, username, password } = new URL(url);
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLocal)) throw new TypeError('url: expected https, or http on loopback');
  if (search || hash || username || password) throw new TypeError('url: expected an origin, and no more than a path behind it');
  const path = pathname.replace(/\/+$/, '');
  return origin + (path === '' ? '/auth' : path);
}

/** One segment of a path: of dots a URL would make another path. */
function idOf(value) {
  if (/^\.+$/.test(textOf(value, 'id'))) throw new TypeError('id: expected an id');
  return encodeURIComponent(value);
}

function textOf(value, name) {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name}: expected a non-empty string`);
  return value;
}

async function json(response) {
  try {
    return await ofKind(response, 'application/json').json();
  } catch (error) {
    if (error instanceof SyntaxError) throw unexpected(response);
    throw error;
  }
}

function ofKind(response, kind) {
  const [found] = (response.headers.get('Content-Type') ?? '').split(';');
  if (found.trim().toLowerCase() !== kind) throw unexpected(response);
  return response;
}

async function refusal(response) {
  const { error, code, hint } = await json(response).catch(() => ({}));
  if (typeof code !== 'string') return unexpected(response);
  const retryAfter = Number(response.headers.get('Retry-After') ?? NaN);
  return new AdminError({
    message: `${error}: ${hint}`, code, status: response.status, hint, retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
  });
}

const unexpected = ({ status }) => new AdminError({ message: `no answer of a gate: ${status}`, code: 'UNEXPECTED_ANSWER', status });
