/**
 * The same as `edgegate`, with the engine as a part of the code: for bundles, and for hosts where no file is found beside it. The code is larger
 * by a third than the compressed engine, and takes a few milliseconds longer to start.
 *
 * Elsewhere than on Node, Deno and Bun, {@link createGate} is in `edgegate/gate/inline` only.
 */
export * from './index.js';
