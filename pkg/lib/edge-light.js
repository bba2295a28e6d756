// For Next.js's edge runtime, whose build takes no code that could compile WebAssembly: neither may the modules that such an entry imports.
import { configError } from './errors.js';
import { webPlatform } from './web-platform.js';

const refuse = () => {
  throw configError('', "this host compiles no WebAssembly, expected a module: import module from 'edgegate/edgegate.wasm?module'");
};

/** In place of compile.js. */
export const compiling = { compile: refuse, compileSync: refuse };

/** The platform with a module that the build has compiled. */
export const edgeLight = (module) => webPlatform({ load: () => module });
