// The packaging matrix: in each bundler and framework the packed package is built, moved to another folder, run, and asked. `cargo xtask test --full
// --only packaging`; one cell is `node --test --test-name-pattern 'Rollup' tests/packaging/matrix/matrix.test.mjs`.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { storeContract } from '../../../pkg/store-contract.js';
import { launch, withPage } from '../../browser/chromium.mjs';
import { startRedis } from '../../node/redis-server.mjs';
import { ROOT, run } from '../project.mjs';
import { CELLS } from './cells.mjs';
import { build, prepare, serve } from './project.mjs';

const SECRET = 'a secret of the matrix that is long enough';

const encoded = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
const signed = (secret) => {
  const text = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded({
    iss: 'https://issuer.test/', aud: 'https://api.test', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 3600, jti: randomBytes(8).toString('hex'),
  })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};

let ground;
let browser;
before(async () => {
  ground = await prepare();
}, { timeout: 600_000 });
after(() => browser?.close());

async function ask(url, paths) {
  for (const one of paths) {
    const statusOf = async (headers) => {
      const response = await fetch(url + one, { headers });
      await response.text();
      return response.status;
    };
    const bearer = (token) => ({ authorization: `Bearer ${token}` });
    const statuses = [await statusOf(bearer(signed(SECRET))), await statusOf({}), await statusOf(bearer(signed('another secret that is long enough, too')))];
    assert.deepEqual(statuses, [200, 401, 401], one);
  }
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

async function look(folder) {
  browser ??= await launch();
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://x');
    const file = path.join(folder, pathname === '/' ? 'index.html' : pathname);
    if (pathname === '/' && !existsSync(file)) {
      response.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,"><script type="module" src="main.js"></script>');
    } else if (existsSync(file)) response.setHeader('content-type', TYPES[path.extname(file)] ?? 'text/plain').end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    const [good, forged] = [signed(SECRET), signed('another secret that is long enough, too')];
    const url = `http://127.0.0.1:${server.address().port}/#${new URLSearchParams({ secret: SECRET, good, forged })}`;
    const result = await withPage(browser, url, async (page) => (await page.waitForFunction(() => globalThis.result)).jsonValue());
    assert.deepEqual(result, { good: 'alice', forged: 401, none: 401, verified: 'alice' });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

for (const cell of CELLS) {
  test(cell.name, { timeout: 1_200_000 }, async () => {
    const project = await build(cell, ground, SECRET);
    try {
      if (cell.page !== undefined) {
        await look(path.join(project.folder, cell.page));
        return;
      }
      const server = await serve(cell.run, project);
      try {
        await ask(server.url, cell.asks);
      } catch (error) {
        error.message += `\n${server.said().slice(-4000)}`;
        throw error;
      } finally {
        await server.stop();
      }
    } finally {
      project.dispose();
    }
  });
}

test('Bun, a Redis by its own client', async () => {
  const redis = await startRedis();
  try {
    const bun = path.join(ground.programs, 'bun');
    const { stdout } = await run(bun, [path.join(ROOT, 'tests/node/redis-in-bun.mjs'), `redis://127.0.0.1:${redis.port}`]);
    assert.deepEqual(JSON.parse(stdout), { failed: [], tried: storeContract(() => {}).length });
  } finally {
    await redis.stop();
  }
});
