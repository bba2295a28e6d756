// Names that browsers ask for, all served here: a proxy leads every one of them to one TLS server, which answers by the name.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';

import { temporaryFolder } from '../worker/harness.mjs';

/** A page without the request for an icon, which browsers send when they like. */
export const page = (title, body = '') => `<!doctype html><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,">${body}`;

/** A certificate that signs itself. Servers take its file as an authority; browsers are told not to look. It began long ago, for clocks that are behind. */
function certificate(names) {
  const folder = temporaryFolder();
  const file = (name, text) => {
    const whole = path.join(folder, name);
    if (text !== undefined) writeFileSync(whole, text);
    return whole;
  };
  const [key, request, cert] = ['key.pem', 'request.pem', 'cert.pem'].map((name) => file(name));
  const alternatives = names.map((name) => `${net.isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  const configuration = file('openssl.cnf', `
[ca]
default_ca = own
[own]
database = ${file('index.txt', '')}
serial = ${file('serial', '01')}
new_certs_dir = ${folder}
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:TRUE
subjectAltName = ${alternatives}
`);
  const openssl = (...values) => execFileSync('openssl', values, { stdio: 'ignore' });
  openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', request, '-subj', '/CN=login-browsers');
  openssl('ca', '-batch', '-notext', '-selfsign', '-config', configuration, '-keyfile', key, '-in', request, '-out', cert, '-startdate', '20200101000000Z', '-enddate', '20491231000000Z');
  return { key: readFileSync(key), cert: readFileSync(cert), file: cert };
}

/**
 * Starts the proxy and the server behind it. `sites` maps a host name to a handler `(request, response)`; every other name gets an empty
 * page. `seen` lists each request as `{ host, method, url, headers }`.
 */
export async function startNetwork(sites, { names = Object.keys(sites) } = {}) {
  const tls = certificate([...names, 'localhost', '127.0.0.1']);
  const network = { sites, seen: [], busy: 0, quietSince: Date.now(), tls };

  const answer = (request, response) => {
    const host = (request.headers.host ?? '').replace(/:443$|:80$/, '').toLowerCase();
    network.seen.push({ host, method: request.method, url: request.url, headers: request.headers, at: Date.now() });
    track(network, response);
    const site = network.sites[host];
    if (site) return site(request, response);
    return response.setHeader('Content-Type', 'text/html').end(page('elsewhere'));
  };

  const server = https.createServer({ key: tls.key, cert: tls.cert }, answer);
  const proxy = http.createServer(answer);
  proxy.on('connect', (request, client) => {
    const [, host, port] = /^(.*):(\d+)$/.exec(request.url) ?? [];
    // A server of these tests has a port of its own on loopback; anything else is a name.
    const isOurs = ['localhost', '127.0.0.1'].includes(host) && port !== '443';
    const upstream = net.connect(isOurs ? Number(port) : server.address().port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
      // What goes to other servers counts as well.
      for (const socket of [upstream, client]) socket.on('data', () => { network.quietSince = Date.now(); });
    });
    for (const socket of [client, upstream]) {
      socket.on('error', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('close', () => upstream.destroy());
  });
  await Promise.all([server, proxy].map((one) => new Promise((resolve) => one.listen(0, '127.0.0.1', resolve))));
  network.port = server.address().port;
  network.proxy = proxy.address().port;
  network.close = () => {
    for (const one of [server, proxy]) {
      one.closeAllConnections();
      one.close();
    }
  };
  return network;
}

/** Counts an answer that is under way, so that a test knows when browsers have gone quiet. */
function track(network, response) {
  network.busy += 1;
  response.once('close', () => {
    network.busy -= 1;
    network.quietSince = Date.now();
  });
}

/** Waits until no request was under way for so many milliseconds. */
export async function quiet(network, millis = 300, deadline = 30_000) {
  const end = Date.now() + deadline;
  while (network.busy > 0 || Date.now() - network.quietSince < millis) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
  return true;
}
