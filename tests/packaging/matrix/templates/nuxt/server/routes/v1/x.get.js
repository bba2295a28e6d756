import { gate } from '../../utils/gate.js';

export default defineEventHandler(async (event) => {
  const decision = await gate.check(event.node.req);
  return decision.ok ? decision.identity.subject : decision.response();
});
