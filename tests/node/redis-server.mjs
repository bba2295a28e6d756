// A redis-server of the test's own, on loopback, that keeps nothing.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Redis from 'ioredis';
import { createClient } from 'redis';

import { closedPort } from '../worker/harness.mjs';

/** Starts it, and resolves when it takes connections. */
export async function startRedis() {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-redis-'));
  const port = await closedPort();
  const server = spawn('redis-server', [
    '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, '--daemonize', 'no',
  ]);
  const stop = async () => {
    const ended = new Promise((resolve) => { server.once('exit', resolve); });
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  let output = '';
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
    server.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('Ready to accept connections')) resolve();
    });
  });
  return { port, stop };
}

/** Each kind of client, connected; `close` has to be called. */
export const CLIENTS = {
  redis: async (port) => {
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false } });
    client.on('error', () => {});
    await client.connect();
    return { client, close: async () => client.destroy() };
  },
  ioredis: async (port) => {
    const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    await client.connect();
    return { client, close: async () => client.disconnect() };
  },
};
