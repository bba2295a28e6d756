import http from 'node:http';
import { guard } from 'edgegate/hono';
import { Hono } from 'hono';
import { gate } from './gate.mjs';

const app = new Hono();
app.use(guard(gate));
app.get('/v1/x', (c) => c.text(c.get('auth').subject ?? ''));

http.createServer(async (request, response) => {
  const { authorization = '' } = request.headers;
  const answer = await app.fetch(new Request(`http://127.0.0.1${request.url}`, { headers: authorization === '' ? {} : { authorization } }));
  response.writeHead(answer.status).end(await answer.text());
}).listen(Number(process.env['PORT']), '127.0.0.1');
