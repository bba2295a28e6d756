// `edgegate sessions` and `edgegate subjects`: who is logged in by the gate's own sessions.

import { sure } from '../ask.js';
import { connect, gateOptions } from '../gate.js';
import { done, fields, plain, result, table, time } from '../output.js';
import { given, idOf, many } from '../values.js';

export function sessions(program) {
  const group = program.command('sessions').description("the gate's own sessions");
  const command = (usage, description) => gateOptions(group.command(usage).description(description));

  command('open <subject>', 'open a session; only this answer shows its tokens')
    .option('--scope <scopes>', 'what it may do; several times, or with commas', many)
    .option('--label <text>', 'what the person calls it')
    .option('--client-id <id>', 'the client that alone refreshes it')
    .option('--no-remember', 'it ends with the browser, and after a day')
    .option('--ticket', 'a ticket for a page to exchange, in place of tokens')
    .action(async (subject, options) => {
      const { scope, label, clientId, remember, ticket } = options;
      const body = { subject, ...given({ scopes: scope, label, client_id: clientId, remember: remember ? undefined : false, ticket }) };
      const opened = await (await connect(options)).call('openSession', body);
      result(options, opened, (answer) => (ticket ? plain(answer.ticket) : fields([
        ['session', answer.session_id], ['access token', answer.access_token], ['expires in', `${answer.expires_in} s`],
        ['refresh token', answer.refresh_token],
      ])));
    });
  command('list <subject>', 'the sessions of a subject')
    .action(async (subject, options) => {
      const answer = await (await connect(options)).call('listSessions', { subject });
      result(options, answer, ({ sessions: rows }) => table(
        ['ID', 'LABEL', 'SCOPES', 'OPENED', 'LAST USED'],
        rows.map((one) => [one.id, one.label, one.scopes?.join(' '), time(one.created_at), time(one.last_seen_at)]),
      ));
    });
  command('end <subject>', 'log a subject out everywhere')
    .option('--session <id>', 'only this session of it')
    .action(async (subject, options) => {
      const gate = await connect(options);
      const { session } = options;
      if (session === undefined) ended(options, subject, await gate.call('endSessions', { subject }));
      else ended(options, `the session ${session}`, await gate.call('endSession', idOf(session), { subject }), 'ended');
    });
  command('narrow <id>', 'leave a session fewer scopes, from its next refresh on')
    .requiredOption('--subject <subject>', 'whose it is')
    .option('--scope <scopes>', 'those that are left; several times, or with commas', many, [])
    .action(async (id, options) => {
      const body = { subject: options.subject, scopes: options.scope };
      result(options, await (await connect(options)).call('narrowSession', idOf(id), body), () => '');
      if (!options.json) done(`${id} is narrowed`);
    });

  const people = program.command('subjects').description('subjects of sessions: refuse them, forget them');
  const ofSubject = (name, description) => gateOptions(people.command(`${name} <subject>`).description(description));
  ofSubject('disable', 'end all sessions and tokens of a subject, and open no more')
    .action(async (subject, options) => ended(options, subject, await (await connect(options)).call('disableSubject', { subject }), 'disabled'));
  ofSubject('enable', 'let a subject log in again')
    .action(async (subject, options) => ended(options, subject, await (await connect(options)).call('enableSubject', { subject }), 'enabled'));
  ofSubject('forget', 'end all sessions of a subject, and forget who it was')
    .option('-y, --yes', 'do not ask')
    .action(async (subject, options) => {
      const gate = await connect(options);
      await sure(`Forget ${subject} at ${gate.url}?`, options);
      ended(options, subject, await gate.call('forgetSubject', { subject }), 'forgotten');
    });
}

function ended(options, subject, answer, word = 'logged out') {
  result(options, answer, () => '');
  if (options.json) return;
  done(`${subject} is ${word}${answer.pending ? '; the revocation is still on its way to where revocations are kept' : ''}`);
}
