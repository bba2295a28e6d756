// The bytes of what is shipped: as it is, with gzip and with Brotli, at their strongest.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { artefacts } = JSON.parse(readFileSync(new URL('../sizes.json', import.meta.url), 'utf8'));

/** What remains of the package's JavaScript for who imports these names of it. */
async function glue({ entry, imports }) {
  const { outputFiles: [bundle] } = await build({
    stdin: { contents: `export { ${imports.join(', ')} } from './${entry}';`, resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    // wasm is counted as a file of its own.
    external: ['*.wasm', 'node:*'],
    logLevel: 'warning',
  });
  return Buffer.from(bundle.contents);
}

const measure = (name, bytes) => ({
  name, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length,
});

const sum = (parts, what) => parts.reduce((total, part) => total + part[what], 0);

/** Everything in sizes.json, with the bytes of its parts and of the whole. */
export async function sizes() {
  const found = [];
  for (const { name, build: command, files, glue: wanted, target_gzip, budget_gzip } of artefacts) {
    const missing = files.find((file) => !existsSync(`${ROOT}${file}`));
    if (missing !== undefined) throw new Error(`${missing} is missing: ${command}`);
    const parts = files.map((file) => measure(file, readFileSync(`${ROOT}${file}`)));
    if (wanted !== undefined) parts.push(measure(`${wanted.entry} { ${wanted.imports.join(', ')} }`, await glue(wanted)));
    found.push({
      name, parts, raw: sum(parts, 'raw'), gzip: sum(parts, 'gzip'), brotli: sum(parts, 'brotli'), target_gzip, budget_gzip,
    });
  }
  return found;
}
