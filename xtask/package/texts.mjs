// The engines as texts: modules of JavaScript that every bundler can put into a bundle, without a loader.
//
// Compressed, since a bundle is uploaded, and read at each start: the engine of the gate as base64 alone takes 2.5 times the room, and twice
// as long from import to first verdict. deflate and not brotli, which is a quarter smaller: browsers unpack deflate.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { constants, deflateRawSync } from 'node:zlib';

const FOLDER = fileURLToPath(new URL('../../pkg/wasm/', import.meta.url));

/** Writes `<name>_text.js` beside each engine `<name>_bg.wasm`. */
export function write(names) {
  for (const name of names) {
    const packed = deflateRawSync(readFileSync(`${FOLDER}${name}_bg.wasm`), { level: constants.Z_BEST_COMPRESSION, memLevel: 9 });
    writeFileSync(`${FOLDER}${name}_text.js`, `export const text = '${packed.toString('base64')}';\n`);
  }
}
