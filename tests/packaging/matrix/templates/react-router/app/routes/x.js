import { gate } from '../gate.js';

export async function loader({ request }) {
  const decision = await gate.check(request);
  return decision.ok ? new Response(decision.identity.subject) : decision.response();
}
