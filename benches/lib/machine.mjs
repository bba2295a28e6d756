// What was measured on, without what would tell where.

import { readFileSync } from 'node:fs';
import os from 'node:os';

const version = (name) => {
  const path = new URL(name === 'edgegate' ? '../../pkg/package.json' : `../../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')).version;
};

const COMPARED = [
  'edgegate', 'fast-jwt', 'jose', 'jsonwebtoken', 'hono', '@tsndr/cloudflare-worker-jwt', 'workerd', 'miniflare', 'autocannon',
  'fastify', '@fastify/jwt', '@fastify/rate-limit', 'express', 'express-jwt', 'express-rate-limit',
];

/** How many processes want a core, over the last minute: more than there are cores, and the wall's clock says little. */
export const busyness = () => Math.round(os.loadavg()[0] * 10) / 10;

export const machine = () => ({
  date: new Date().toISOString().slice(0, 10),
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memory_gb: Math.round(os.totalmem() / 1e9),
  system: `${os.type()} ${os.arch()}`,
  node: process.versions.node,
  v8: process.versions.v8,
  openssl: process.versions.openssl,
  versions: Object.fromEntries(COMPARED.map((name) => [name, version(name)])),
});
