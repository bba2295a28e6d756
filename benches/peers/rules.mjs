// What every Worker written by hand shares: the routes, what it takes from a request and what it adds to it.
//
// It does the part of the gate's work that the bench compares, as a careful user would write it, and no more.

/** The scope that a route asks for; `undefined` for an open one, `null` where there is none. */
export function scopeOf({ method, url }) {
  const { pathname } = new URL(url);
  if (pathname.startsWith('/public/')) return undefined;
  if (pathname !== '/v1/posts') return null;
  return { GET: 'read:posts', POST: 'write:posts' }[method] ?? null;
}

export const refused = (status) => Response.json({ error: 'refused' }, { status, headers: { 'cache-control': 'no-store' } });

/** The headers of the caller that must not reach the upstream: forged identities and credentials. */
const TAKEN = ['authorization', 'x-api-key', 'x-auth-method', 'x-auth-subject', 'x-auth-issuer', 'x-auth-scopes', 'x-auth-key-id'];

/** The cookies without the one that holds the token. */
function otherCookies(cookies, name) {
  return cookies.split(';').map((one) => one.trim()).filter((one) => !one.startsWith(`${name}=`)).join('; ');
}

/**
 * Passes the request on with this identity, and keeps shared caches from the answer. The upstream is a service binding, or a URL
 * where the Worker has `UPSTREAM_URL`.
 */
export async function passOn(request, env, identity) {
  const sent = toUpstream(request, env);
  for (const name of TAKEN) sent.headers.delete(name);
  const cookies = env.COOKIE && sent.headers.get('cookie');
  if (cookies) {
    const others = otherCookies(cookies, env.COOKIE);
    if (others === '') sent.headers.delete('cookie');
    else sent.headers.set('cookie', others);
  }
  for (const [name, value] of Object.entries(identity)) sent.headers.set(name, value);
  const answer = await (env.UPSTREAM_URL === undefined ? env.UPSTREAM.fetch(sent) : fetch(sent));
  if (identity === anonymous || answer.headers.has('cache-control')) return answer;
  const own = new Response(answer.body, answer);
  own.headers.set('cache-control', 'private');
  return own;
}

/** A copy, whose headers may be changed. */
export function toUpstream(request, { UPSTREAM_URL: upstream }) {
  if (upstream === undefined) return new Request(request);
  const { pathname, search } = new URL(request.url);
  return new Request(`${upstream}${pathname}${search}`, request);
}

export const anonymous = { 'x-auth-method': 'anonymous' };

export const identityOf = ({ sub, iss, scope }) => ({
  'x-auth-method': 'jwt', 'x-auth-subject': sub, 'x-auth-issuer': iss, 'x-auth-scopes': scope,
});

/** The token of a request: in `Authorization`, or in the cookie where the Worker has `COOKIE`. */
export function tokenOf({ headers }, { COOKIE: cookie }) {
  const bearer = headers.get('authorization');
  if (bearer !== null) return bearer.startsWith('Bearer ') ? bearer.slice('Bearer '.length) : undefined;
  if (cookie === undefined) return undefined;
  return headers.get('cookie')?.split(';').map((one) => one.trim()).find((one) => one.startsWith(`${cookie}=`))?.slice(cookie.length + 1);
}
