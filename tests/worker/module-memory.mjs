// How much memory the Worker's module has. It never shrinks, and an isolate has 128 MB.

import path from 'node:path';

import { BUILD } from './harness.mjs';

const ASKED = '/__test/memory';

/** Evaluated before the module is made. */
const INSTANCES = `
const { Instance } = WebAssembly;
WebAssembly.Instance = new Proxy(Instance, {
  construct(target, given) {
    const made = Reflect.construct(target, given);
    globalThis.moduleMemory = made.exports.memory;
    return made;
  },
});
`;

const TELLING = `
import './instances.js';
import front from './front.js';
export * from './front.js';
export default {
  fetch(request, env, context) {
    const isAsked = new URL(request.url).pathname === '${ASKED}';
    return isAsked ? new Response(String(globalThis.moduleMemory.buffer.byteLength)) : front.fetch(request, env, context);
  },
};
`;

/** Takes the options of a gate with sessions, and returns them with a module in front that tells. */
export function tellingMemory(worker) {
  const own = Object.entries({ 'telling.js': TELLING, 'instances.js': INSTANCES });
  const modules = own.map(([name, contents]) => ({ type: 'ESModule', path: path.join(BUILD, name), contents }));
  return { ...worker, modules: [...modules, ...worker.modules] };
}

/** In MiB. */
export const moduleMemory = async (sessions) => Number((await sessions.get(ASKED)).text) / 2 ** 20;
