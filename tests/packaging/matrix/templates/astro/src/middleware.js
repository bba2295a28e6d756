import { gate } from './gate.js';

export async function onRequest({ request, url, locals }, next) {
  const decision = await gate.check(request, { path: url.pathname });
  if (!decision.ok) return decision.response();
  locals.auth = decision.identity;
  return next();
}
