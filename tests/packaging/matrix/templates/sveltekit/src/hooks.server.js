import { gate } from './lib/gate.js';

export async function handle({ event, resolve }) {
  const decision = await gate.check(event.request, { path: event.url.pathname });
  if (!decision.ok) return decision.response();
  event.locals.auth = decision.identity;
  return resolve(event);
}
