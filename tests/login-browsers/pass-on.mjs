// From the front to a subject.

import http from 'node:http';

import { APP } from './pages.mjs';

/** Passes a request on to a subject on loopback, as the place where TLS ends. */
export function passOn(port, request, response, { cookie, onAnswer } = {}) {
  const headers = { ...request.headers, 'x-forwarded-proto': 'https', 'x-forwarded-host': APP, 'x-forwarded-port': '443', 'x-forwarded-for': '198.51.100.7', 'cf-connecting-ip': '198.51.100.7' };
  if (cookie !== undefined) headers.cookie = cookie;
  if (cookie === '') delete headers.cookie;
  let whole;
  const upstream = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url, headers, setHost: false, agent: false }, (answer) => {
    answer.on('end', () => { whole = answer.complete; });
    onAnswer?.(answer);
    if (response.destroyed) return;
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  upstream.on('error', (error) => {
    // mod_auth_openidc sends a second page after some of its own. Browsers show the first.
    if (whole || error.code?.startsWith('HPE_')) return undefined;
    if (response.headersSent) return response.destroy();
    return response.writeHead(502, { 'Content-Type': 'text/html' }).end('<!doctype html><title>bad gateway</title>');
  });
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
}
