import { NextResponse } from 'next/server';

import { gate } from './gate.js';

export const config = { matcher: '/middleware/:path*' };

export async function middleware(request) {
  const decision = await gate.check(request);
  return decision.ok ? new NextResponse(decision.identity.subject) : decision.response();
}
