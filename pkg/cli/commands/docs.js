// `edgegate docs`: what the callers of an API have to know, from its policy alone.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { callersPage } from '../docs.js';
import { misused } from '../failure.js';
import { done, result } from '../output.js';
import { findConfiguration, policyObject, readDocument, readProject } from '../project.js';

const FORMATS = { markdown: 'callers.md', html: 'callers.html' };

export function docs(program) {
  program.command('docs [file]')
    .description('write the page for those who call your API, as Markdown and HTML, from the policy alone')
    .option('--title <title>', 'of the page')
    .option('--base-url <url>', 'where callers reach the API')
    .option('--words <file>', 'words of your own, by place: a file of TOML or JSON with introduction, keys, tokens, limits, support')
    .option('--out <folder>', 'where callers.md and callers.html go', '.')
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--force', 'overwrite files that are there')
    .action((file, options) => {
      const { title, baseUrl, out, force } = options;
      const policy = policyObject(readProject(file ?? findConfiguration(process.cwd()), options.env));
      const words = options.words === undefined ? undefined : readDocument(options.words).value;
      const page = pageOf(policy, { title, baseUrl, words });
      mkdirSync(out, { recursive: true });
      const written = Object.entries(FORMATS).map(([format, name]) => write(path.join(out, name), page[format], force));
      result(options, { written }, () => '');
      if (!options.json) done(written.join(', '));
    });
}

function pageOf(policy, options) {
  try {
    return callersPage(policy, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
  } catch (error) {
    if (error instanceof TypeError) throw misused(error.message);
    throw error;
  }
}

function write(file, text, force) {
  try {
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    throw misused(error.code === 'EEXIST' ? `${file} is here already` : `${file}: ${error.message}`, '--force overwrites it; --out names another folder');
  }
  return file;
}
