// wrangler beside a provider with which anybody logs in: `node xtask/dev/with-login.mjs WRANGLER dev --port …`, in the folder of
// wrangler.toml.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';

import { startLocalProvider } from '../../pkg/cli/local-provider.js';

const [program, ...parameters] = process.argv.slice(2);
const option = (name) => parameters[parameters.indexOf(name) + 1];

const folder = process.cwd();
const { vars: { POLICY: policy } } = parse(readFileSync('wrangler.toml', 'utf8'));
const provider = await startLocalProvider(folder, policy, { port: option('--port'), scheme: option('--local-protocol') });
const child = spawn(process.execPath, [program, ...parameters, ...provider.parameters], { stdio: 'inherit' });
child.on('exit', (code) => { process.exit(code ?? 1); });
