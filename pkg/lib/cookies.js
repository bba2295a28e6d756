/** Sets the cookies of a decision on an answer that begins now. No cache may store an answer that sets cookies. */
export function setCookies(cookies, { append, set }) {
  const values = cookies?.values() ?? [];
  if (values.length === 0) return;
  for (const value of values) append('Set-Cookie', value);
  set('Cache-Control', 'private, no-store');
}

/**
 * The request as the handler gets it: without the cookies of the gate's own sessions. Where headers of a request that came cannot be changed, it
 * is made anew.
 */
export function withoutSessionCookies(request, { requestCookie }) {
  if (requestCookie === undefined) return request;
  try {
    setCookie(request.headers, requestCookie);
    // Some runtimes ignore what they do not let be set.
    if ((request.headers.get('Cookie') ?? '') === requestCookie) return request;
  } catch {
    // They cannot be changed.
  }
  const headers = new Headers(request.headers);
  setCookie(headers, requestCookie);
  // What has read the body before has it; nobody else can.
  return request.bodyUsed ? new Request(request.url, { method: request.method, headers }) : new Request(request, { headers });
}

function setCookie(headers, value) {
  if (value === '') headers.delete('Cookie');
  else headers.set('Cookie', value);
}

/** The same for Node's request, in its place. */
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
  // HTTP/2 has no other array put in its place.
  rawHeaders?.splice(0, rawHeaders.length, ...others);
}
