import { TRPCError, initTRPC } from '@trpc/server';
import { createHTTPServer } from '@trpc/server/adapters/standalone';
import { gate } from './gate.mjs';

const t = initTRPC.context().create();
const router = t.router({ hello: t.procedure.query(({ ctx }) => ctx.auth.subject) });

async function createContext({ req }) {
  const decision = await gate.check(req);
  if (!decision.ok) throw new TRPCError({ code: 'UNAUTHORIZED', message: decision.code });
  return { auth: decision.identity };
}

createHTTPServer({ router, createContext }).listen(Number(process.env.PORT), '127.0.0.1');
