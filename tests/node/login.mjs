// An application whose people log in, behind a gate of the npm package, in each framework.

import http from 'node:http';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';

import { guard as guardExpress } from '../../pkg/wasm/express.js';
import { guard as guardFastify } from '../../pkg/wasm/fastify.js';
import { guard as guardFetch } from '../../pkg/wasm/fetch.js';
import { guard as guardHono } from '../../pkg/wasm/hono.js';
import { guard as guardKoa } from '../../pkg/wasm/koa.js';
import { guard as guardLambda } from '../../pkg/wasm/lambda.js';
import { createGate, memoryStore } from '../../pkg/wasm/node.js';
import { LOGIN_SECRETS, loginPolicy } from '../worker/login.mjs';

/** What the application says of whoever gets through. */
const told = ({ subject }) => ({ subject });

/** How each framework serves the gate: a listener of Node. */
export const SERVED = {
  express: (gate) => express()
    .use(guardExpress(gate, { caseSensitive: true }))
    .get('/v1/posts', (asked, response) => response.json(told(asked.auth))),
  'express with a parser before it': (gate) => express()
    .use(express.urlencoded({ extended: false }))
    .use(guardExpress(gate, { caseSensitive: true }))
    .get('/v1/posts', (asked, response) => response.json(told(asked.auth))),
  fastify: async (gate) => {
    const app = fastify();
    app.register(guardFastify(gate));
    app.get('/v1/posts', async (asked) => told(asked.auth));
    await app.ready();
    return (asked, response) => app.routing(asked, response);
  },
  hono: (gate) => {
    const app = new Hono().use(guardHono(gate)).get('/v1/posts', (context) => context.json(told(context.get('auth'))));
    return getRequestListener(app.fetch);
  },
  fetch: (gate) => getRequestListener(guardFetch(gate, async (_, caller) => Response.json(told(caller)))),
  koa: (gate) => {
    const app = new Koa().use(guardKoa(gate, { caseSensitive: true }));
    app.use((context) => { context.body = told(context.state.auth); });
    return app.callback();
  },
  'a function URL of Lambda': (gate) => ofLambda(guardLambda(gate, async (_, caller) => told(caller)), (path, query) => ({
    version: '2.0', rawPath: path, rawQueryString: query,
  })),
  'a REST API of Lambda': (gate) => ofLambda(
    guardLambda(gate, async (_, caller) => ({ statusCode: 200, body: JSON.stringify(told(caller)) })),
    (path, query, { method, headers }) => ({
      httpMethod: method, path, requestContext: { identity: { sourceIp: '127.0.0.1' } },
      multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()])),
      multiValueQueryStringParameters: query === '' ? null : lists(new URLSearchParams(query)),
    }),
  ),
};

const lists = (parameters) => Object.fromEntries([...new Set(parameters.keys())].map((name) => [name, parameters.getAll(name)]));

const ofLambda = (guarded, form) => async (asked, response) => {
  const [path, query = ''] = asked.url.split(/\?(.*)/s);
  const { method, headers } = asked;
  const chunks = [];
  for await (const chunk of asked) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('base64');
  const common = { headers, body, isBase64Encoded: true, requestContext: { http: { method, path, sourceIp: '127.0.0.1' } } };
  const answer = await guarded({ ...common, ...form(path, query, { method, headers }) }, {});
  response.writeHead(answer.statusCode, {
    ...answer.headers, ...answer.multiValueHeaders, ...(answer.cookies && { 'set-cookie': answer.cookies }),
  }).end(answer.body);
};

/**
 * Starts an application. `providers` are those of its policy, unless `policy` makes another of the changes; a browser (`Visitor`) takes what it
 * returns for a gate.
 */
export async function startApplication(served, providers, {
  policy = (all) => loginPolicy(providers, all), changes = {}, origin, stores, secrets = LOGIN_SECRETS, ...options
} = {}) {
  let listener;
  const server = http.createServer((asked, response) => listener(asked, response));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const events = [];
  const store = memoryStore();
  const gate = createGate(policy({ ...changes, origin: origin ?? `http://127.0.0.1:${port}` }), {
    secrets, stores: stores ?? { sessions: store, revocation: store, keys: store, counters: store, accounts: store }, log: (event) => events.push(event), ...options,
  });
  listener = await served(gate);
  return {
    gate,
    events,
    origin: `http://127.0.0.1:${port}`,
    port: () => port,
    request: (method, path, { headers, body }) => send(port, method, path, headers, body),
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

function send(port, method, path, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, text, json: () => JSON.parse(text) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
