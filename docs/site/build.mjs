// Builds the site into target/site: the documents, the page of www/, and llms.txt. `node docs/site/build.mjs`, after `cargo xtask package`.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { vendorModules } from '../../www/build.mjs';
import { ROOT, forSite, llmsText, pages } from './pages.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Beside the generator: what it compiles has to find its packages. */
const SOURCE = path.join(HERE, 'source');
const OUT = path.join(ROOT, 'target/site');

function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The documents, in a folder. */
function writeDocuments(folder) {
  const all = pages();
  for (const page of all) write(path.join(folder, `${page.name}.md`), forSite(page, all));
}

/** What the generator reads. */
function stage() {
  rmSync(SOURCE, { recursive: true, force: true });
  writeDocuments(SOURCE);
  cpSync(path.join(ROOT, 'docs/bench'), path.join(SOURCE, 'bench'), { recursive: true });
  cpSync(path.join(ROOT, 'www/icon.svg'), path.join(SOURCE, 'public/icon.svg'));
  for (const file of ['policy.schema.json', 'openapi.json']) {
    const from = [path.join(ROOT, 'pkg/schema', file), path.join(ROOT, 'docs', file)].find(existsSync);
    if (from) cpSync(from, path.join(SOURCE, 'public', file));
  }
}

function generate() {
  if (!existsSync(path.join(HERE, 'node_modules/vitepress'))) execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE, stdio: 'inherit' });
  execFileSync(process.execPath, ['node_modules/vitepress/bin/vitepress.js', 'build', '.'], { cwd: HERE, stdio: 'inherit' });
}

/** The page of www/ beside the documents, with what it loads. */
async function addPage() {
  // The folder is the dashboard, which the Worker has.
  const files = readdirSync(path.join(ROOT, 'www'), { withFileTypes: true }).filter((one) => one.isFile() && !one.name.endsWith('.mjs'));
  for (const { name } of files) cpSync(path.join(ROOT, 'www', name), path.join(OUT, 'www', name));
  for (const [name, text] of await vendorModules()) write(path.join(OUT, 'www/vendor', name), text);
  for (const name of ['browser.js', 'lib', 'wasm/edgegate_bg.wasm', 'wasm/edgegate_gate_bg.wasm']) cpSync(path.join(ROOT, 'pkg', name), path.join(OUT, 'pkg', name), { recursive: true });
  write(path.join(OUT, 'index.html'), '<!doctype html><meta charset="utf-8"><title>edgegate</title><meta http-equiv="refresh" content="0; url=www/"><a href="www/">edgegate</a>\n');
}

/** The documents as Markdown, and what there is of them. */
function addForPrograms() {
  writeDocuments(path.join(OUT, 'docs'));
  for (const file of ['llms.txt', 'docs/llms.txt']) write(path.join(OUT, file), llmsText());
}

rmSync(OUT, { recursive: true, force: true });
stage();
generate();
await addPage();
addForPrograms();
console.log(`${path.relative(process.cwd(), OUT) || '.'} is the site: /docs/, /www/, /llms.txt`);
