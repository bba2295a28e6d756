import { compile, compileSync } from './compile.js';
import { webPlatform } from './web-platform.js';

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

async function inflated(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Response(stream).arrayBuffer();
}

/**
 * A platform whose engine is a text in the code. This is also what runs on Node if a bundler did not know that the bundle is for Node; its
 * zlib has the engine there at once.
 */
export function inlined(text) {
  const zlib = globalThis.process?.getBuiltinModule?.('node:zlib');
  const load = zlib && (() => compileSync(zlib.inflateRawSync(bytesOf(text))));
  return webPlatform({ load, loadLater: async () => compile(await inflated(text)), sharesPromises: true });
}
