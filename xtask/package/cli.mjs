// The command line of the package, in one file with all that it uses: the package has no dependencies.

import { build } from 'esbuild';
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = path.join(ROOT, 'pkg/bin');
const GUIDES = path.join(ROOT, 'docs/guides');

/** The policies of the guides, in the order of their index: `edgegate init` writes the first one of each; `others` are further ones of the same guide. */
export function guides() {
  const index = readFileSync(path.join(GUIDES, 'README.md'), 'utf8');
  const listed = [...index.matchAll(/^\| \[([^\]]+)\]\(([\w-]+)\.md\)/gm)].map(([, title, name]) => ({ title, name }));
  return listed.map(({ title, name }) => {
    const text = readFileSync(path.join(GUIDES, `${name}.md`), 'utf8');
    const [policy, ...others] = [...text.matchAll(/^```toml policy\n(.*?)^```$/gms)].map(([, block]) => block);
    if (policy === undefined) throw new Error(`docs/guides/${name}.md: no block \`toml policy\``);
    return { name, title, policy, others };
  });
}

const guidesModule = {
  name: 'guides',
  setup(bundle) {
    bundle.onResolve({ filter: /^edgegate:guides$/ }, () => ({ path: 'guides', namespace: 'guides' }));
    bundle.onLoad({ filter: /.*/, namespace: 'guides' }, () => ({ contents: JSON.stringify(guides()), loader: 'json' }));
  },
};

/** Writes `pkg/bin/edgegate.js`, and beside it the licences of what is in it. */
export async function write() {
  mkdirSync(OUT, { recursive: true });
  const outfile = path.join(OUT, 'edgegate.js');
  const { metafile } = await build({
    entryPoints: [path.join(ROOT, 'pkg/cli/main.js')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // The package by its own name: it has the engine.
    external: ['edgegate'],
    // commander is CommonJS, which requires what Node brings.
    banner: { js: "#!/usr/bin/env node\nimport { createRequire as createBundleRequire } from 'node:module';\nconst require = createBundleRequire(import.meta.url);" },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [guidesModule],
  });
  chmodSync(outfile, 0o755);
  writeFileSync(path.join(OUT, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));
}

function licences(inputs) {
  const names = new Set(inputs.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []));
  return [...names].sort().map((name) => {
    const folder = path.join(ROOT, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined || typeof license !== 'string') throw new Error(`${name}: no licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(path.join(folder, file), 'utf8').trim()}\n`;
  }).join(`\n${'-'.repeat(80)}\n\n`);
}
