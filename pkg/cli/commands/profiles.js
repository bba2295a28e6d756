// `edgegate profiles`: gates that are known by a name.

import { secret, secretIn } from '../ask.js';
import { environmentSecret, gateUrl } from '../gate.js';
import { misused } from '../failure.js';
import { done, result, table } from '../output.js';
import { readProfiles, removeProfile, saveProfile, usualName } from '../profiles.js';

export function profiles(program) {
  const group = program.command('profiles').description("gates by name: URL and administrator's secret, in a file that you alone can read (not checked on Windows)");
  group.command('save [name]').description('save a gate; without a name as that of the project in this folder')
    .option('--url <url>', 'the gate (or EDGEGATE_URL)')
    .option('--token-file <file>', "a file with the administrator's secret, - for standard input (or EDGEGATE_ADMIN_TOKEN)")
    .action(async (given, options) => {
      const named = options.url ?? process.env.EDGEGATE_URL;
      if (named === undefined) throw misused('which gate?', 'say --url https://…');
      const url = gateUrl(named);
      const name = given ?? usualName();
      const token = await tokenOf(options, url);
      if (token.trim() === '') throw misused("the administrator's secret is empty");
      const file = saveProfile(name, { url, token: token.trim() });
      result(options, { profile: name, url, file }, () => '');
      if (!options.json) done(`${name} is ${url}, kept in ${file}`);
    });
  group.command('list').description('their names and URLs, never the secrets')
    .action((options) => result(options, Object.entries(readProfiles()).map(([name, { url }]) => ({ name, url })), (all) => table(['NAME', 'URL'], all.map(({ name, url }) => [name, url]))));
  group.command('remove <name>').description('forget one')
    .action((name, options) => {
      removeProfile(name);
      result(options, { removed: name }, () => '');
      if (!options.json) done(`${name} is forgotten`);
    });
}

const tokenOf = async ({ tokenFile }, url) => (tokenFile !== undefined
  ? secretIn('--token-file', tokenFile)
  : environmentSecret(url) ?? secret(`Administrator's secret of ${url}`, 'say --token-file, or set EDGEGATE_ADMIN_TOKEN'));
