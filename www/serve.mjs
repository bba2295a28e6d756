// Serves the page on this machine: `cargo xtask www`, or `node www/serve.mjs [port]` after `cargo xtask package`.

import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['www', 'pkg'];
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** A file below one of the folders, or `undefined`. */
function fileOf(target) {
  let pathname;
  try {
    pathname = decodeURIComponent(new URL(target, 'http://local.invalid').pathname);
  } catch {
    return undefined;
  }
  const file = path.join(ROOT, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
  const inside = FOLDERS.some((folder) => file.startsWith(path.join(ROOT, folder) + path.sep));
  return inside && existsSync(file) && statSync(file).isFile() && TYPES[path.extname(file)] ? file : undefined;
}

/** Listens on loopback; resolves with the server. */
export function serve(port = 0) {
  const server = http.createServer((request, response) => {
    if (request.url === '/') {
      response.writeHead(302, { Location: '/www/' }).end();
      return;
    }
    const file = fileOf(request.url);
    if (file === undefined || !['GET', 'HEAD'].includes(request.method)) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
      return;
    }
    response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)], 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const server = await serve(Number(process.argv[2] ?? 8788));
  console.log(`http://127.0.0.1:${server.address().port}/www/`);
}
