import { readFileSync } from 'node:fs';
import { bind } from './lib/index.js';
import { nodePlatform } from './lib/node-platform.js';

const load = () => new WebAssembly.Module(readFileSync(new URL('./wasm/edgegate_bg.wasm', import.meta.url)));
export const { createVerifier, verifyJws, decodeUnverified, importKey, createApiKeys, ready } = bind(nodePlatform(load));
export { EdgegateError } from './lib/index.js';
