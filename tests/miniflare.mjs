// Miniflare, which runs workerd: that of the root `package.json`, or with EDGEGATE_WORKERD=oldest the oldest that is supported.
//
// Options have the form of Miniflare 4. The oldest one takes them as they are, Miniflare 5 brings a function that makes its own of them.
// What a Worker prints comes by `handleStructuredLogs`, and what it stores stays in the folder `resourcePersistencePath`, in both.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the packages are. */
const HOMES = { newest: '../', oldest: 'oldest/' };

/** `newest` or `oldest`: Miniflare, and the wrangler of the same day. */
export function miniflareOf(age) {
  if (!Object.hasOwn(HOMES, age)) throw new Error(`EDGEGATE_WORKERD: expected one of ${Object.keys(HOMES).join(', ')}, found ${age}`);
  const home = fileURLToPath(new URL(HOMES[age], import.meta.url));
  if (!existsSync(path.join(home, 'node_modules'))) throw new Error(`no packages in ${home}: run npm ci there`);
  const require = createRequire(path.join(home, 'package.json'));
  const { Miniflare: Installed, convertV4MiniflareOptions: convert = withFolders, Log, LogLevel } = require('miniflare');
  return {
    /** Runs Workers until `dispose`. */
    Miniflare: class Miniflare extends Installed {
      constructor(options) {
        super(convert(options));
      }
    },
    Log,
    LogLevel,
    /** Miniflare 5 puts a Worker of its own between a Worker and the network. It passes on only what a Worker can say of HTTP. */
    standsBetween: convert !== withFolders,
    /** The program of wrangler. */
    WRANGLER: path.join(home, 'node_modules/.bin/wrangler'),
    /** Reads a wrangler.toml as wrangler does. */
    readConfig: (file) => require('wrangler').unstable_readConfig({ config: file }, { hideWarnings: true }),
  };
}

/** Miniflare 4 wants a folder for each kind of what is stored. */
function withFolders({ resourcePersistencePath: folder, ...options }) {
  if (folder === undefined) return options;
  return { ...options, kvPersist: path.join(folder, 'kv'), durableObjectsPersist: path.join(folder, 'do') };
}

export const { Miniflare, Log, LogLevel, standsBetween, WRANGLER, readConfig } = miniflareOf(process.env.EDGEGATE_WORKERD ?? 'newest');
