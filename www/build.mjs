// The libraries of others that the page uses, each as one module: jose to be measured beside, and a reader of TOML.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** By the name that the page imports from `vendor/`. */
const MODULES = {
  'jose.js': `export { jwtVerify } from 'jose'; export const version = '${devDependencies.jose}';`,
  'toml.js': "export { parse } from 'smol-toml';",
};

/** Their texts, by name. */
export async function vendorModules() {
  const texts = await Promise.all(Object.values(MODULES).map(async (contents) => {
    const { outputFiles: [{ text }] } = await build({
      stdin: { contents, resolveDir: ROOT }, bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false,
    });
    return text;
  }));
  return new Map(Object.keys(MODULES).map((name, index) => [name, texts[index]]));
}
