/** Sets the cookies of a decision on an answer that begins now. No cache may store an answer that sets cookies. */
export function setCookies(cookies, { append, set }) {
  const values = cookies?.values() ?? [];
  if (values.length === 0) return;
  for (const value of values) append('Set-Cookie', value);
  set('Cache-Control', 'private, no-store');
}
