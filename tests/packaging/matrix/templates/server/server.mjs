import http from 'node:http';

import { createVerifier } from 'edgegate';
import { guard } from 'edgegate/express';
import { gate } from './gate.mjs';

const guarded = guard(gate);
// The other engine, at once.
const verifier = createVerifier({ issuer: 'https://issuer.test/', audience: 'https://api.test', algorithms: ['HS256'], key: new TextEncoder().encode(process.env.JWT_SECRET) });

http.createServer((request, response) => guarded(request, response, (error) => {
  const { subject } = error ? {} : request.auth;
  const { claims } = verifier.verifySync(request.headers.authorization.slice('Bearer '.length));
  response.writeHead(error || subject !== claims.sub ? 500 : 200).end(subject);
})).listen(Number(process.env.PORT), '127.0.0.1');
