/** Takes the wasm from the caller: `init` and `initSync` of slim.d.ts. */
export const slim = (engine) => ({
  async init(source) {
    const given = await source;
    engine.provide(given instanceof WebAssembly.Module ? given : await WebAssembly.compile(await bytesOf(given)));
    await engine.ready();
  },

  initSync(source) {
    engine.provide(source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source));
    engine.start();
  },
});

const bytesOf = (source) => (typeof source.arrayBuffer === 'function' ? source.arrayBuffer() : source);
