// `edgegate revoke`, and `edgegate revocations` for what is revoked.

import { readFileSync } from 'node:fs';

import { secret, secretIn, standardInput, sure } from '../ask.js';
import { misused } from '../failure.js';
import { connect, gateOptions } from '../gate.js';
import { done, fields, lines, plain, result, say, table, time } from '../output.js';
import { duration, given, idOf, keyId, moment, whole } from '../values.js';

export function revoke(program) {
  gateOptions(program.command('revoke').description('refuse a token, a session, a subject, a signing key, an issuer or an API key from now on'))
    .option('--token [file]', 'this token: in a file, - for standard input; asked for without a file')
    .option('--jti <id>', 'the token with this id (with --iss; --exp if known)')
    .option('--sub <subject>', 'all tokens of a subject (with --iss): log out everywhere')
    .option('--sid <session>', 'the tokens of a session (with --iss)')
    .option('--kid <key>', 'the tokens of a signing key (with --iss)')
    .option('--key <id>', 'an API key')
    .option('--all', 'all tokens of an issuer (with --iss)')
    .option('--file <file>', 'many at once: a line of JSON each, as revocations export writes them')
    .option('--iss <issuer>', 'the issuer, as the policy has it')
    .option('--exp <time>', 'when the token ends (with --jti)', moment)
    .option('--before <time>', 'only what was issued before (with --sub or --all)', moment)
    .option('--withdrawn', 'the signing key is not published any more (with --kid)')
    .option('--reason <text>', 'for those who read the list')
    .option('--expires-in <time>', 'how long it is kept, such as 400d', duration)
    .option('--idempotency-key <key>', 'the same request again gets the same answer (in the modes snapshot and ledger)')
    .option('-y, --yes', 'do not ask')
    .action(async (options) => {
      const what = whatOf(options);
      const body = await bodyOf(what, options);
      const gate = await connect(options);
      if (WIDE.includes(what)) await sure(`Refuse all that ${described(what, options)} at ${gate.url}?`, options);
      const many = what === 'file';
      const answer = await gate.call('revoke', body, given({ idempotencyKey: options.idempotencyKey }));
      result(options, answer, many ? () => '' : shown);
      if (options.json) return;
      if (many) done(`${answer.revoked} revoked, ${answer.unchanged} were already, ${answer.expired} are over`);
      else done('revoked');
    });

  const group = program.command('revocations').description('what is revoked');
  const command = (usage, description) => gateOptions(group.command(usage).description(description));

  command('list', 'a page of them, or all')
    .option('--limit <number>', 'of a page', whole)
    .option('--cursor <cursor>', 'the page after the last one')
    .option('--all', 'all pages')
    .action(async (options) => {
      const { limit, cursor, all } = options;
      const page = await (await connect(options)).list('listRevocations', 'revocations', { limit, cursor, all });
      result(options, page, ({ revocations }) => table(['ID', 'WHAT', 'UNTIL', 'REASON'], revocations.map((one) => [one.id, target(one), time(one.until) ?? 'for good', one.reason])));
      if (page.cursor && !options.json) say(`more: --cursor ${plain(page.cursor)}, or --all`);
    });
  command('show <id>', 'one of them')
    .action(async (id, options) => result(options, await (await connect(options)).call('getRevocation', idOf(id)), shown));
  command('undo <id>', 'refuse it no longer')
    .option('-y, --yes', 'do not ask')
    .action(async (id, options) => {
      idOf(id);
      const gate = await connect(options);
      await sure(`Admit again what ${id} refuses at ${gate.url}?`, options);
      await gate.call('undoRevocation', id);
      result(options, { undone: id }, () => '');
      if (!options.json) done(`${id} is undone`);
    });
  command('export', 'all of them, a line of JSON each, as revoke --file takes them')
    .action(async (options) => lines(await (await connect(options)).exported()));
}

const KINDS = ['token', 'jti', 'sub', 'sid', 'kid', 'key', 'all', 'file'];
const OF_ISSUER = ['jti', 'sub', 'sid', 'kid', 'all'];
/** These shut out many callers at once. */
const WIDE = ['kid', 'all'];

function whatOf(options) {
  const named = KINDS.filter((kind) => options[kind] !== undefined);
  if (named.length !== 1) throw misused(`expected one of ${KINDS.map((kind) => `--${kind}`).join(', ')}, found ${named.length}`);
  const [what] = named;
  if (OF_ISSUER.includes(what) && options.iss === undefined) throw misused(`--${what} needs --iss`, 'the issuer as the policy has it');
  return what;
}

async function bodyOf(what, { iss, exp, before, withdrawn, reason, expiresIn, ...options }) {
  if (what === 'file') return options.file === '-' ? standardInput('--file') : readText(options.file);
  const shared = given({ reason, expires_in_secs: expiresIn });
  switch (what) {
    case 'token':
      return { token: await tokenOf(options.token), ...shared };
    case 'key':
      return { key_id: keyId(options.key), ...shared };
    default:
      return { iss, [what]: options[what], ...given({ exp, before, withdrawn }), ...shared };
  }
}

/** Not from the command line, which others on this machine can see. */
async function tokenOf(file) {
  if (file === true) return secret('The token', 'say --token FILE, or --token - and give it on standard input');
  return secretIn('--token', file);
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw misused(`--file ${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  }
}

const described = (what, { iss, kid }) => (what === 'kid' ? `key ${kid} of ${iss} has signed` : `${iss} has issued`);

const target = ({ target: { kind, ...names }, before }) => [kind.replace('_', ' '), ...Object.entries(names).map(([name, value]) => `${name}=${value}`), before && `before ${time(before)}`].filter(Boolean).join(' ');

const shown = (entry) => fields([['id', entry.id], ['what', target(entry)], ['until', time(entry.until) ?? 'for good'], ['reason', entry.reason]]);
