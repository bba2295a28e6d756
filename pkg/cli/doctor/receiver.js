// Takes the webhooks of alerts, on this machine, and looks at their signatures (Standard Webhooks).

import { createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';

import { misused } from '../failure.js';

const MAX_BYTES = 64 * 1024;
const MAX_KEPT = 1_000;
/** How far the sender's clock may be off, as the standard's libraries have it. */
const TOLERANCE_SECS = 300;

/** `9099`, or `http://127.0.0.1:9099/hook`. A port alone is open to this machine only. */
export function receiverAt(text) {
  const url = /^\d+$/.test(text) ? `http://127.0.0.1:${text}/` : text;
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    throw misused(`--receiver ${text}: expected a port, or a URL like http://127.0.0.1:9099/hook`);
  }
  if (parsed.protocol !== 'http:' || parsed.port === '') throw misused(`--receiver ${text}: expected http and a port`, 'a tunnel in front of it may have https');
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: Number(parsed.port) };
}

/** Listens until `close`. `find` gives the first message of which `wanted` is true, as `{type, data, signed}`. */
export async function startReceiver(text, secret) {
  const { host, port } = receiverAt(text);
  const taken = [];
  const server = http.createServer(async (request, response) => {
    const body = await bodyOf(request);
    if (body !== undefined && taken.length < MAX_KEPT) taken.push(read(request.headers, body, secret));
    response.writeHead(body === undefined ? 413 : 202).end();
  });
  await new Promise((resolve, reject) => {
    server.once('error', (error) => reject(misused(`--receiver: ${host}:${port}: ${error.code}`)));
    server.listen(port, host, resolve);
  });
  return {
    find: (wanted) => taken.find((one) => one !== undefined && wanted(one)),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function read(headers, body, secret) {
  try {
    const { type, data } = JSON.parse(body.toString('utf8'));
    return { type, data, signed: secret === undefined ? undefined : isSigned(headers, body, secret) };
  } catch {
    return undefined;
  }
}

function isSigned({ 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' }, body, secret) {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
  const wanted = Buffer.from(`v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`);
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECS;
  return isFresh && signatures.split(' ').map((one) => Buffer.from(one)).some((one) => one.length === wanted.length && timingSafeEqual(one, wanted));
}
