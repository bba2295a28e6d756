import { MAX_JWKS_LENGTH } from './protocol.js';
import { uncached } from './uncached.js';

/** For connecting and reading together. */
const TIMEOUT_MILLIS = 5000;

/**
 * Fetches a key set. Returns `{answer}` for the core, or `{problem}`. Redirects are not followed, since they could lead anywhere. No more
 * is read than is allowed.
 */
export async function fetchKeys(uri, etag) {
  try {
    const headers = { accept: 'application/jwk-set+json, application/json' };
    if (etag) headers['if-none-match'] = etag;
    const response = await fetch(uri, { headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MILLIS), ...uncached() });
    const cacheControl = response.headers.get('cache-control') ?? undefined;
    if (response.status === 304) return { answer: { cacheControl } };
    // Browsers do not tell the status of a redirect.
    if (response.type === 'opaqueredirect') return { problem: 'a redirect, expected status 200' };
    if (response.status !== 200) {
      await response.body?.cancel();
      return { problem: `status ${response.status}, expected 200`, status: response.status };
    }
    const bytes = await readAtMost(response.body, MAX_JWKS_LENGTH);
    if (bytes === undefined) return { problem: `more than ${MAX_JWKS_LENGTH} bytes` };
    const jwks = textOf(bytes);
    if (jwks === undefined) return { problem: 'not UTF-8' };
    return { answer: { jwks, etag: response.headers.get('etag') ?? undefined, cacheControl } };
  } catch (error) {
    return { problem: error?.name === 'TimeoutError' ? 'no answer in time' : 'cannot be reached' };
  }
}

/**
 * Asks a provider of logins. Returns its status and the bytes of its answer. Redirects are not followed: they could lead anywhere, with a
 * secret. What it throws says nothing of the request.
 */
export async function askProvider({ method, url, headers, body, millis, most }) {
  let response;
  let bytes;
  try {
    response = await fetch(url, { method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(millis), ...uncached() });
    bytes = response.body === null ? new Uint8Array() : await readAtMost(response.body, most);
  } catch (error) {
    throw new Error(error?.name === 'TimeoutError' ? 'no answer in time' : 'cannot be reached');
  }
  if (bytes === undefined) throw new Error(`more than ${most} bytes`);
  return { status: response.status, bytes };
}

async function readAtMost(stream, limit) {
  const bytes = new Uint8Array(limit);
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, length);
    if (length + value.length > limit) {
      await reader.cancel();
      return undefined;
    }
    bytes.set(value, length);
    length += value.length;
  }
}

function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Tells a sink of an event. Returns the status, or `null` if none came: the error may name the URL, which may be a secret. A redirect is not
 * followed, and the answer not read.
 */
export async function tellSink({ url, headers, body, millis }) {
  const fields = new Headers({ 'Content-Type': 'application/json' });
  for (const [name, value] of headers) fields.set(name, value);
  try {
    const response = await fetch(url, { method: 'POST', headers: fields, body, redirect: 'manual', signal: AbortSignal.timeout(millis), ...uncached() });
    await response.body?.cancel();
    // Browsers do not tell the status of a redirect.
    return response.status === 0 ? null : response.status;
  } catch {
    return null;
  }
}
