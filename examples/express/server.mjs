import { createGate } from 'edgegate';
import { guard } from 'edgegate/express';
import express from 'express';

const gate = createGate({
  path_case: 'insensitive', // Express routes /V1/Posts to /v1/posts
  issuers: [{ issuer: 'https://issuer.example/', audience: ['https://api.example.com'], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  routes: [
    { path: '/public/*', methods: ['GET'], auth: 'none' },
    { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
    { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
  ],
}, { secrets: process.env, log: (event) => console.error(JSON.stringify(event)) });

const app = express();
app.use(guard(gate)); // before the routes
app.get('/public/hello', (request, response) => response.json({ hello: 'everybody' }));
app.get('/v1/posts', (request, response) => response.json({ hello: request.auth.subject }));
app.post('/v1/posts', (request, response) => response.status(201).json({ by: request.auth.subject }));

const server = app.listen(process.env.PORT ?? 3000, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
