// The command line of edgegate. Results go to standard output, everything else to standard error; the exit code is 0, 1 for what was
// refused or has failed, 2 for a command that is used wrongly (`doctor`: 3).

import { Command } from 'commander';
import { createRequire } from 'node:module';

import { accounts } from './commands/accounts.js';
import { audit } from './commands/audit.js';
import { check } from './commands/check.js';
import { completions } from './commands/completions.js';
import { deploy } from './commands/deploy.js';
import { dev } from './commands/dev.js';
import { diff } from './commands/diff.js';
import { docs } from './commands/docs.js';
import { doctor } from './commands/doctor.js';
import { explain } from './commands/explain.js';
import { init } from './commands/init.js';
import { keys } from './commands/keys.js';
import { passwords } from './commands/passwords.js';
import { profiles } from './commands/profiles.js';
import { revoke } from './commands/revoke.js';
import { grants } from './commands/grants.js';
import { sessions } from './commands/sessions.js';
import { test } from './commands/test.js';
import { token } from './commands/token.js';
import { watch } from './commands/watch.js';
import { COULD_NOT_RUN, USAGE } from './failure.js';
import { tell } from './output.js';

const { version } = createRequire(import.meta.url)('../package.json');

const program = new Command('edgegate')
  .description('An API gate for Cloudflare Workers: tokens, API keys, limits, revocation.')
  .version(version)
  .enablePositionalOptions()
  .showSuggestionAfterError()
  .configureOutput({ outputError: (text, write) => write(text) })
  .addHelpText('after', `
Start here:
  npx edgegate init my-gate && cd my-gate
  npx edgegate dev

Where it asks a running gate: --url or EDGEGATE_URL with EDGEGATE_ADMIN_TOKEN or --token-file, or a saved profile. A secret is never an argument.`);

for (const register of [init, dev, check, explain, test, diff, doctor, deploy, keys, revoke, sessions, accounts, passwords, grants, watch, audit, token, docs, profiles, completions]) register(program, { version });
everywhere(program);

/** For all commands that do something: `--json`, and errors that end in one place. */
function everywhere(command) {
  command.exitOverride();
  if (command.commands.length > 0) command.commands.forEach(everywhere);
  else if (!['completions', '__complete'].includes(command.name())) command.option('--json', 'print JSON');
}

const usedWrongly = process.argv[2] === 'doctor' ? COULD_NOT_RUN : USAGE;

/** What was wanted is known only to a parser that has come to its end. */
const json = process.argv.includes('--json');

try {
  await program.parseAsync();
} catch (error) {
  if (error.code?.startsWith('commander.')) process.exitCode = error.exitCode === 0 ? 0 : usedWrongly;
  else process.exitCode = tell(error, { json });
}
