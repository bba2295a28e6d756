/** Takes the wasm from the caller: `init` and `initSync` of slim.d.ts. */
export const slim = (engine, { compile, compileSync }) => ({
  async init(source) {
    const given = await source;
    engine.provide(isModule(given) ? given : await compile(await bytesOf(given)));
    await engine.ready();
  },

  initSync(source) {
    engine.provide(isModule(source) ? source : compileSync(source));
    engine.start();
  },
});

const bytesOf = (source) => (typeof source.arrayBuffer === 'function' ? source.arrayBuffer() : source);

/** Some hosts compile modules elsewhere: those are of another class. */
const isModule = (source) => Object.prototype.toString.call(source) === '[object WebAssembly.Module]';
