// `edgegate grants`: accounts at providers that people have connected.

import { connect, gateOptions } from '../gate.js';
import { done, result, table, time } from '../output.js';
import { given } from '../values.js';

export function grants(program) {
  const group = program.command('grants').description('accounts at providers that people have connected');
  const command = (usage, description) => gateOptions(group.command(usage).description(description));

  command('list <subject>', 'the accounts of a subject; no token is shown')
    .action(async (subject, options) => {
      const answer = await (await connect(options)).call('listGrants', { subject });
      result(options, answer, ({ grants: rows }) => table(
        ['PROVIDER', 'ACCOUNT', 'LABEL', 'SCOPES', 'CONNECTED', 'STATE'],
        rows.map((one) => [one.provider, one.account, one.label, one.scopes.join(' '), time(one.connected_at), one.reconnect ?? 'good']),
      ));
    });
  command('end <subject>', 'end accounts of a subject, here and at their providers')
    .option('--provider <id>', 'only those at this provider')
    .option('--account <id>', 'only the one of this account')
    .action(async (subject, options) => {
      const { provider, account } = options;
      const answer = await (await connect(options)).call('endGrants', { subject, ...given({ provider, account }) });
      result(options, answer, () => '');
      if (!options.json) done(`${answer.ended} ended`);
    });
}
