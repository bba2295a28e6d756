/** Sets the cookies of a decision on an answer that begins now. No cache may store an answer that sets cookies. */
export function setCookies(cookies, { append, set }) {
  const values = cookies?.values() ?? [];
  if (values.length === 0) return;
  for (const value of values) append('Set-Cookie', value);
  set('Cache-Control', 'private, no-store');
}

/**
 * The request for the handler, without the cookies of the gate's own sessions. Some runtimes do not let the headers of an incoming request be
 * changed. Then it is a new request.
 */
export function withoutSessionCookies(request, { requestCookie }) {
  if (requestCookie === undefined) return request;
  try {
    setCookie(request.headers, requestCookie);
    // Some runtimes ignore a header that may not be set.
    if ((request.headers.get('Cookie') ?? '') === requestCookie) return request;
  } catch {
    // The headers cannot be changed.
  }
  const headers = new Headers(request.headers);
  setCookie(headers, requestCookie);
  // A body that was read before is gone.
  return request.bodyUsed ? new Request(request.url, { method: request.method, headers }) : new Request(request, { headers });
}

function setCookie(headers, value) {
  if (value === '') headers.delete('Cookie');
  else headers.set('Cookie', value);
}

/** Removes them from Node's request itself. */
export function dropSessionCookies({ rawHeaders, headers }, { requestCookie }) {
  if (requestCookie === undefined) return;
  const others = [];
  for (let index = 0; index + 1 < (rawHeaders?.length ?? 0); index += 2) {
    if (rawHeaders[index].toLowerCase() !== 'cookie') others.push(rawHeaders[index], rawHeaders[index + 1]);
  }
  delete headers.cookie;
  if (requestCookie !== '') {
    headers.cookie = requestCookie;
    others.push('Cookie', requestCookie);
  }
  // The array is changed itself, since HTTP/2 takes no other.
  rawHeaders?.splice(0, rawHeaders.length, ...others);
}
