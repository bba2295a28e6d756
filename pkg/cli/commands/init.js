// `edgegate init`: a project with a gate in it.

import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { canAsk, select, text } from '../ask.js';
import { Failure, misused } from '../failure.js';
import { done, result, say, step } from '../output.js';
import { examine } from '../policy-check.js';
import { readProject } from '../project.js';
import { newSecret } from '../secrets.js';
import { ENTRY, IGNORED, PROVIDERS, varsExample, wranglerToml } from '../template.js';
import { ensureVars } from '../vars.js';
import { report } from './check.js';

const NONE = 'none';

export function init(program, { version }) {
  program.command('init [folder]')
    .description('write a gate: wrangler.toml with a policy, secrets for local runs, package.json; then install what it needs')
    .option('-y, --yes', 'ask nothing')
    .option('--name <name>', 'of the Worker, the name of the folder by default')
    .option('--provider <name>', `who issues the tokens: ${[NONE, ...PROVIDERS.map(({ name }) => name)].join(', ')}`)
    .option('--issuer <url>', "the provider's issuer, as `iss` in its tokens")
    .option('--audience <audience>', 'your API, as `aud` in these tokens')
    .option('--upstream <url>', 'the service behind the gate; without it the gate answers itself')
    .option('--no-install', 'write the files only')
    .option('--force', 'overwrite files that are there')
    .action(async (folder = '.', options) => {
      const root = path.resolve(folder);
      checkFolder(root, options);
      const wanted = await answers(root, options);
      const written = write(root, wanted, { ...options, version });
      const found = await examine(readProject(path.join(root, 'wrangler.toml')));
      written.push(...writeSecrets(root, found, options));
      if (options.install) await install(root, version, options);
      result(options, { folder: root, written, ...wanted }, () => '');
      if (!options.json) sayWhatIsNext(folder, written, found, options);
    });
}

const OWN_FILES = ['wrangler.toml', 'src/index.js'];

/** Nothing of the user's is overwritten unless they say so. */
function checkFolder(root, { force }) {
  const others = ['wrangler.json', 'wrangler.jsonc'].filter((name) => existsSync(path.join(root, name)));
  if (others.length > 0) throw new Failure(`${others[0]} is here already`, { hint: 'wrangler would read it in place of the new wrangler.toml' });
  const there = OWN_FILES.filter((name) => existsSync(path.join(root, name)));
  if (there.length > 0 && !force) {
    throw new Failure(`${there.join(' and ')} ${there.length > 1 ? 'are' : 'is'} here already`, { hint: 'another folder: npx edgegate init my-gate; or --force to overwrite' });
  }
}

async function answers(root, options) {
  const ask = canAsk(options);
  const usual = nameFor(root);
  const name = options.name ?? (ask ? await text('Name of the Worker', { placeholder: usual, defaultValue: usual, validate: (value) => (value ? nameFault(value) : undefined) }) : usual);
  const fault = nameFault(name);
  if (fault) throw misused(`--name ${name}: ${fault}`);
  const provider = options.provider ?? (ask ? await askProvider() : NONE);
  const known = PROVIDERS.find((one) => one.name === provider);
  if (provider !== NONE && known === undefined) throw misused(`--provider ${provider}: unknown`, `one of ${[NONE, ...PROVIDERS.map((one) => one.name)].join(', ')}`);
  if (provider === NONE && (options.issuer ?? options.audience) !== undefined) throw misused('--issuer and --audience are for a --provider');
  const own = async (given, message) => given ?? (known !== undefined && ask ? (await text(message, { placeholder: 'leave it empty to write it later' })) || undefined : undefined);
  const issuer = checkedUrl('--issuer', await own(options.issuer, `Issuer at ${known?.title} (\`iss\` of its tokens)`));
  const audience = await own(options.audience, 'Your API (`aud` of these tokens)');
  const upstream = options.upstream ?? (ask ? (await text('URL of the service behind the gate', { placeholder: 'empty: the gate answers itself' })) || undefined : undefined);
  return { name, provider, issuer, audience, upstream: checkedUrl('--upstream', upstream) };
}

function checkedUrl(option, url) {
  if (url !== undefined && !/^https?:\/\/[^\s"]+$/.test(url)) throw misused(`${option} ${url}: expected a URL like https://api.example.com`);
  return url;
}

const askProvider = () => select('Who issues the tokens of your callers?', [
  { value: NONE, label: 'nobody yet', hint: 'API keys, and tokens of the gate itself' },
  ...PROVIDERS.map(({ name: value, title: label }) => ({ value, label })),
]);

/** What Cloudflare takes. */
const nameFault = (name) => (/^[a-z0-9][a-z0-9-]{0,52}[a-z0-9]$|^[a-z0-9]$/.test(name) ? undefined : 'expected lower-case letters, digits and dashes');

const nameFor = (root) => path.basename(root).toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 54) || 'gate';

function write(root, wanted, { version }) {
  mkdirSync(path.join(root, 'src'), { recursive: true });
  writeFileSync(path.join(root, 'wrangler.toml'), wranglerToml(wanted));
  writeFileSync(path.join(root, 'src/index.js'), ENTRY);
  return [...OWN_FILES, ...writeManifest(root, wanted.name, version), ...writeIgnored(root)];
}

const SCRIPTS = { dev: 'edgegate dev', check: 'edgegate check', deploy: 'edgegate deploy' };

/** Adds what is missing; what is there stays. */
function writeManifest(root, name, version) {
  const file = path.join(root, 'package.json');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const manifest = before === undefined ? { name, private: true, type: 'module' } : parsed(file, before);
  const after = { ...manifest, scripts: { ...SCRIPTS, ...manifest.scripts } };
  if (!has(manifest, 'edgegate')) after.dependencies = { ...manifest.dependencies, edgegate: specOf(version) };
  const text = `${JSON.stringify(after, null, 2)}\n`;
  if (text === before) return [];
  writeFileSync(file, text);
  return ['package.json'];
}

function parsed(file, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure(`${file}: is no JSON`);
  }
}

const has = ({ dependencies = {}, devDependencies = {} }, name) => dependencies[name] !== undefined || devDependencies[name] !== undefined;

/** EDGEGATE_SPEC: a tarball in place of the published version, for tests and for what is not published yet. */
const specOf = (version) => process.env.EDGEGATE_SPEC ?? `^${version}`;

function writeIgnored(root) {
  const file = path.join(root, '.gitignore');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const missing = IGNORED.filter((line) => !before.split('\n').some((known) => known.trim() === line));
  if (missing.length === 0) return [];
  appendFileSync(file, `${before === '' || before.endsWith('\n') ? '' : '\n'}${missing.join('\n')}\n`);
  return ['.gitignore'];
}

/** Secrets that are there stay, also with --force: what was sealed with them would be lost. */
function writeSecrets(root, { secrets, roles }, { force }) {
  const { added } = ensureVars(path.join(root, '.dev.vars'), secrets, (name) => newSecret(roles.get(name)));
  const example = path.join(root, '.dev.vars.example');
  const isWritten = force || !existsSync(example);
  if (isWritten) writeFileSync(example, varsExample(secrets));
  return [...(added.length > 0 ? ['.dev.vars'] : []), ...(isWritten ? ['.dev.vars.example'] : [])];
}

async function install(root, version, { json }) {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  // npm takes the newest wrangler that this Node can run.
  const more = has(manifest, 'wrangler') ? [] : ['--save-dev', 'wrangler'];
  step(`npm install ${more.join(' ')}`.trimEnd());
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = spawn(npm, ['install', '--no-audit', '--no-fund', '--loglevel', 'error', ...more], {
    cwd: root, stdio: ['ignore', json ? 'ignore' : 2, 2], shell: process.platform === 'win32',
  });
  const code = await new Promise((resolve) => child.on('error', () => resolve(-1)).on('close', resolve));
  if (code !== 0) throw new Failure('npm install has failed', { hint: 'the files are written: run it again yourself' });
}

function sayWhatIsNext(folder, written, found, { install: installed }) {
  report({ file: 'wrangler.toml' }, { ...found, missing: [] });
  const inFolder = folder === '.' ? '' : `cd ${folder} && `;
  const first = installed ? '' : 'npm install && ';
  done(`wrote ${written.join(', ')}. Next:`);
  say(`  ${inFolder}${first}npx edgegate dev        # runs the gate here, and prints a key and lines to try it`);
  say('  npx edgegate deploy     # puts it online');
}
