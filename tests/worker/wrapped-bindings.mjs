// Bindings that are JavaScript around real ones. Miniflare 5 has none, so a module that runs before the Worker's own puts them into its
// `env`. The Worker itself runs unchanged.

import path from 'node:path';

const MAIN = 'wrapped-bindings.mjs';
const BINDINGS = 'wrapped-bindings/bindings.mjs';

/**
 * Returns Miniflare's options of these workers. `wrappedBindings` of a worker has for each binding the name of another one, whose script
 * exports a function: it gets that worker's own bindings, and returns the binding. The other one stays as a worker that does nothing, by
 * whose name a test reaches what is wrapped.
 */
export function wrapBindings(workers) {
  const wrappers = new Set(workers.flatMap(({ wrappedBindings = {} }) => Object.values(wrappedBindings)));
  return workers.map((worker) => {
    if (wrappers.has(worker.name)) return { ...worker, script: 'export default {};' };
    return worker.wrappedBindings ? wrapped(worker, workers) : worker;
  });
}

function wrapped({ wrappedBindings, ...worker }, workers) {
  const bindings = Object.entries(wrappedBindings).map(([name, of]) => ({ name, wrapper: workers.find((one) => one.name === of) }));
  const file = (name, contents) => ({ type: 'ESModule', path: path.join(worker.modulesRoot, name), contents });
  const main = `./${path.relative(worker.modulesRoot, worker.modules[0].path)}`;
  return {
    ...worker,
    ...Object.fromEntries(['kvNamespaces', 'durableObjects'].map((kind) => [
      kind, Object.assign({}, { ...worker[kind] }, ...bindings.map(({ name, wrapper }) => inner(name, wrapper[kind]))),
    ])),
    modules: [
      file(MAIN, `import './${BINDINGS}';\nexport * from '${main}';\nexport { default } from '${main}';\n`),
      file(BINDINGS, source(bindings)),
      ...bindings.map(({ name, wrapper }) => file(`wrapped-bindings/${name}.mjs`, wrapper.script)),
      ...worker.modules,
    ],
  };
}

/** The wrapper's own bindings, under names that the Worker does not ask for. */
const inner = (name, bindings = {}) => Object.fromEntries(Object.entries(bindings).map(([own, value]) => [`${name}/${own}`, value]));

function source(bindings) {
  const lines = bindings.map(({ name, wrapper }, index) => {
    const own = [wrapper.kvNamespaces, wrapper.durableObjects].flatMap((all) => Object.keys(all ?? {}));
    const env = own.map((one) => `${JSON.stringify(one)}: env[${JSON.stringify(`${name}/${one}`)}]`);
    return `import make${index} from './${name}.mjs';\nenv[${JSON.stringify(name)}] = make${index}({ ${env.join(', ')} });\n`;
  });
  return `import { env } from 'cloudflare:workers';\n${lines.join('')}`;
}
