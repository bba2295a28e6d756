// Serves the page on this machine: `cargo xtask www`, or `node www/serve.mjs [port]` after `cargo xtask package`.

import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { vendorModules } from './build.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['www', 'pkg', 'docs', 'target/site'];
const VENDOR = '/www/vendor/';
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.md': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

const isFile = (file) => existsSync(file) && statSync(file).isFile() && TYPES[path.extname(file)] !== undefined;

/** The files that a path may mean. Documents are pages where `cargo xtask site` has built them, else the Markdown that they are made from. */
function candidates(pathname) {
  if (!pathname.startsWith('/docs/')) return [pathname.endsWith('/') ? `${pathname}index.html` : pathname];
  const built = `/target/site${pathname}`;
  if (pathname.endsWith('/')) return [`${built}index.html`, `${pathname}README.md`];
  return [built, `${built}.html`, pathname, `${pathname}.md`];
}

/** A file below one of the folders, or `undefined`. */
function fileOf(pathname) {
  for (const candidate of candidates(pathname)) {
    const file = path.join(ROOT, candidate);
    const inside = FOLDERS.some((folder) => file.startsWith(path.join(ROOT, folder) + path.sep));
    if (inside && isFile(file)) return file;
  }
  return undefined;
}

function pathOf(target) {
  try {
    return decodeURIComponent(new URL(target, 'http://local.invalid').pathname);
  } catch {
    return '';
  }
}

function answer(request, response, vendor) {
  const pathname = pathOf(request.url);
  const headers = (name) => ({ 'Content-Type': TYPES[path.extname(name)], 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' });
  if (pathname === '/') return response.writeHead(302, { Location: '/www/' }).end();
  const reads = ['GET', 'HEAD'].includes(request.method);
  const module = pathname.startsWith(VENDOR) ? vendor.get(pathname.slice(VENDOR.length)) : undefined;
  if (reads && module !== undefined) return response.writeHead(200, headers(pathname)).end(module);
  const file = fileOf(pathname);
  if (!reads || file === undefined) return response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
  response.writeHead(200, headers(file));
  return createReadStream(file).pipe(response);
}

/** Listens on loopback; resolves with the server. */
export async function serve(port = 0) {
  const vendor = await vendorModules();
  const server = http.createServer((request, response) => answer(request, response, vendor));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const server = await serve(Number(process.argv[2] ?? 8788));
  console.log(`http://127.0.0.1:${server.address().port}/www/`);
}
