// A real nginx in front of a gate, and the service behind it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { closedPort, temporaryFolder } from './harness.mjs';

/** Returns the path of the program. Throws if there is none. */
export function findNginx() {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  const found = folders.map((folder) => path.join(folder, 'nginx')).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error('nginx is not installed: apt-get install nginx-light');
  return found;
}

/** A whole configuration of these parts of `http`. */
export const configurationOf = (parts) => `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
${parts}
}
`;

/**
 * Starts nginx with the configuration that `configured({ port, gatePort, backendPort })` returns. Behind it a service keeps its requests in
 * `seen` and answers by `answer(response)`. It listens on `at`, or on any port.
 */
export async function startNginx(gate, configured, answer, at) {
  const seen = [];
  const backend = http.createServer((request, response) => {
    seen.push(request);
    request.resume();
    request.on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const prefix = temporaryFolder();
  mkdirSync(path.join(prefix, 'logs'));
  const port = at ?? await closedPort();
  writeFileSync(path.join(prefix, 'nginx.conf'), configured({ port, gatePort: gate.port(), backendPort: backend.address().port }));
  const nginx = spawn(findNginx(), ['-p', `${prefix}/`, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  nginx.stderr.on('data', (chunk) => { complaints += chunk; });
  const stop = async () => {
    backend.close();
    if (nginx.exitCode !== null) return;
    nginx.kill('SIGKILL');
    await once(nginx, 'exit');
  };
  try {
    for (let attempt = 0; ; attempt += 1) {
      assert.equal(nginx.exitCode, null, `nginx did not start:\n${complaints}`);
      if (await gate.get('/public/ready', { port }).then(() => true, () => false)) break;
      assert.ok(attempt < 200, `nginx does not answer:\n${complaints}`);
      await sleep(25);
    }
  } catch (fault) {
    await stop();
    throw fault;
  }
  seen.length = 0;
  return { port, seen, stop };
}
