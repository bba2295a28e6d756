// Makes the page of the dashboard one text, which the Worker sends: `node www/dashboard/build.mjs`, after a change in this folder.
// tests/page/dashboard.test.mjs holds that it is fresh.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const OUT = here('../../crates/worker/src/');

const bundle = async (name) => {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: [here(name)], bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', charset: 'utf8', legalComments: 'none', write: false,
  });
  return text.trim();
};

const source = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const icon = () => `data:image/svg+xml,${encodeURIComponent(readFileSync(here('../icon.svg'), 'utf8').trim())}`;

/** The page, and the policy under which it is sent: no other script or style runs, nobody else is asked, no text becomes markup. */
export async function dashboardPage() {
  const [script, style] = await Promise.all([bundle('app.js'), bundle('style.css')]);
  const parts = { script, style, icon: icon() };
  const page = readFileSync(here('page.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
  const policy = [
    "default-src 'none'", `script-src ${source(script)}`, `style-src ${source(style)}`, 'img-src data:', "connect-src 'self'", "form-action 'none'",
    "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].join('; ');
  return { page, policy };
}

/** The files that the Worker has in it, by their names. */
export async function dashboardFiles() {
  const { page, policy } = await dashboardPage();
  return { 'dashboard.html': page, 'dashboard.csp': policy };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(await dashboardFiles())) writeFileSync(`${OUT}${name}`, text);
}
