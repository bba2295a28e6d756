import { gate } from '../../gate.js';

export const runtime = 'edge';
export const GET = async (request) => {
  const decision = await gate.check(request);
  return decision.ok ? new Response(decision.identity.subject) : decision.response();
};
