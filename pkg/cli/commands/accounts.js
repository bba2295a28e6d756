// `edgegate accounts`: people who log in by password.

import { canAsk, secret, standardInput, sure } from '../ask.js';
import { Failure, misused } from '../failure.js';
import { connect, gateOptions } from '../gate.js';
import { done, fields, result, step, time } from '../output.js';
import { given, idOf, many, whole } from '../values.js';

export function accounts(program) {
  const group = program.command('accounts').description('people who log in by password');
  const command = (usage, description) => gateOptions(group.command(usage).description(description));

  command('create <email>', 'make an account; its password is asked for, or read from standard input')
    .option('--hashed', 'what is read is a hash of the password, as another system has kept it')
    .option('--scope <scopes>', 'what its sessions may do beside the scopes of all accounts; several times, or with commas', many)
    .option('--verified', 'the address is known to be its owner\u2019s')
    .action(async (email, options) => {
      const { scope, verified } = options;
      const gate = await connect(options);
      const body = { email, ...(await passwordOf(options)), ...given({ scopes: scope, verified }) };
      result(options, await gate.call('createAccount', body), shown);
    });
  command('invite <email>', 'send a link by which somebody sets a password; the account waits for its owner')
    .option('--scope <scopes>', 'what its sessions may do beside the scopes of all accounts; several times, or with commas', many)
    .action(async (email, options) => {
      const gate = await connect(options);
      result(options, await gate.call('inviteAccount', { email, ...given({ scopes: options.scope }) }), shown);
    });
  command('prepare', 'make the objects that keep accounts before anybody guesses; once, after the first deployment')
    .option('--from <number>', 'where to go on, if it has stopped', whole, 0)
    .action(async (options) => {
      const all = await prepared(await connect(options), options);
      result(options, all, () => '');
      if (!options.json) done(all.from === 0 ? `all ${all.of} are there` : `${all.from} to ${all.of - 1} are there`);
    });
  command('find <email>', 'the account with an address')
    .action(async (email, options) => result(options, await (await connect(options)).call('findAccount', { email }), shown));
  command('show <id>', 'an account')
    .action(async (id, options) => result(options, await (await connect(options)).call('getAccount', idOf(id)), shown));
  command('set-password <id>', 'a new password, asked for or read from standard input; all sessions end')
    .option('--hashed', 'what is read is a hash of the password, as another system has kept it')
    .action(async (id, options) => changed(options, id, await passwordOf(options), 'has a new password'));
  command('scopes <id>', 'other scopes of its own; all sessions end')
    .option('--scope <scopes>', 'those that it has from now on; several times, or with commas', many, [])
    .action((id, options) => changed(options, id, { scopes: options.scope }, 'has these scopes'));
  command('disable <id>', 'nobody logs in to it any more, and all sessions end')
    .action((id, options) => changed(options, id, { disabled: true }, 'is disabled'));
  command('enable <id>', 'let its owner log in again')
    .action((id, options) => changed(options, id, { disabled: false }, 'is enabled'));
  command('require-reset <id>', 'nobody logs in until its owner has set a new password by a link; all sessions end')
    .action((id, options) => changed(options, id, { require_reset: true }, 'waits for a new password'));
  command('drop-factors <id>', 'take its authenticator, recovery codes and passkeys out, for an owner who has lost them; all sessions end')
    .option('-y, --yes', 'do not ask')
    .action(async (id, options) => {
      await sure(`Drop the second factors of ${id}? Its password alone will be enough.`, options);
      await changed(options, id, { drop_factors: true }, 'has no second factor any more');
    });
  command('delete <id>', 'forget an account, and end all its sessions')
    .option('-y, --yes', 'do not ask')
    .action(async (id, options) => {
      const gate = await connect(options);
      await sure(`Delete the account ${id} at ${gate.url}?`, options);
      const answer = await gate.call('deleteAccount', idOf(id));
      result(options, answer, () => '');
      if (!options.json) done(`${id} is deleted${later(answer)}`);
    });
}

/** One request makes some of them, and says where the next one goes on. What is there stays as it is. */
async function prepared(gate, { from, json }) {
  let next = from;
  for (;;) {
    const answer = await gate.call('prepareAccounts', { from: next }).catch((fault) => { throw next === from ? fault : stoppedAt(next, fault); });
    if (answer.next === null) return { from, of: answer.of };
    next = answer.next;
    if (!json) step(`${next} of ${answer.of}`);
  }
}

/** Those before stay. */
function stoppedAt(from, { message, hint, exitCode, facts }) {
  const both = [`go on with --from ${from}`, hint].filter(Boolean);
  return new Failure(message, { ...facts, from, exitCode, hint: both.join('; ') });
}

const shown = (account) => fields([
  ['id', account.id], ['subject', account.subject], ['scopes', account.scopes.join(' ')], ['made', time(account.created_at)],
  ['state', stateOf(account)], ['password', account.imported ? 'as it was imported, until the next login' : undefined],
  ['second factors', factors(account.factors)],
]);

const stateOf = (account) => {
  if (account.disabled) return 'disabled';
  if (account.reset_required) return 'waits for a new password';
  return account.invited ? 'invited' : 'good';
};

const factors = ({ totp, passkeys, recovery_codes_left: left }) => {
  const some = [totp && 'authenticator', passkeys > 0 && `${passkeys} passkeys`].filter(Boolean);
  return some.length > 0 ? `${some.join(', ')}; ${left} recovery codes left` : 'none';
};

async function changed(options, id, body, word) {
  const account = await (await connect(options)).call('changeAccount', idOf(id), body);
  result(options, account, () => '');
  if (!options.json) done(`${id} ${word}${later(account)}`);
}

const later = ({ pending }) => (pending ? '; the end of its sessions is still on its way to where revocations are kept' : '');

/** A password is never an argument: others can see those. */
async function passwordOf(options) {
  const what = options.hashed ? 'the hash' : 'the password';
  const read = canAsk(options) ? await secret(options.hashed ? 'The hash' : 'The password', 'give it on standard input') : await standardInput(what);
  if (read === '') throw misused(`standard input does not have ${what}`, 'give it there');
  return options.hashed ? { password_hash: read } : { password: read };
}
