// `edgegate keys`: API keys of a running gate.

import { createHash } from 'node:crypto';

import { canAsk, secret, standardInput, sure } from '../ask.js';
import { misused } from '../failure.js';
import { connect, gateOptions } from '../gate.js';
import { done, fields, plain, result, say, table, time } from '../output.js';
import { duration, given, keyId, many, numbers, whole } from '../values.js';

export function keys(program) {
  const group = program.command('keys').description('API keys of a running gate');
  const command = (usage, description) => gateOptions(group.command(usage).description(description));

  described(command('mint', 'make a key; only this answer shows it'), { required: true })
    .option('--prefix <prefix>', "the key's prefix, the policy's first one by default")
    .action(async (options) => {
      const gate = await connect(options);
      minted(options, await gate.call('createKey', { scopes: [], ...bodyOf(options), ...given({ prefix: options.prefix }) }));
    });

  described(command('import', 'take over a key of another system, by its SHA-256'), { required: true })
    .option('--sha256 <hex>', 'the SHA-256 of the key; without it the key is asked for, or read from standard input')
    .action(async (options) => {
      const hash = options.sha256 ?? (await hashOfKey(options));
      const gate = await connect(options);
      const record = await gate.call('createKey', { scopes: [], ...bodyOf(options), imported_sha256: hash });
      result(options, record, shown);
    });

  command('list', 'keys, of one owner or of all')
    .option('--owner <owner>', 'of this owner')
    .option('--limit <number>', 'of a page', whole)
    .option('--cursor <cursor>', 'the page after the last one')
    .option('--all', 'all pages')
    .action(async (options) => {
      const { owner, limit, cursor, all } = options;
      const page = await (await connect(options)).list('listKeys', 'keys', { owner, limit, cursor, all });
      result(options, page, ({ keys: rows }) => table(
        ['ID', 'NAME', 'OWNER', 'SCOPES', 'CREATED', 'EXPIRES', 'STATE'],
        rows.map((key) => [key.id, key.name, key.owner, key.scopes?.join(' '), time(key.created_at), time(key.expires_at), key.disabled ? 'disabled' : '']),
      ));
      if (page.cursor && !options.json) say(`more: --cursor ${plain(page.cursor)}, or --all`);
    });

  command('show <id>', 'one key, with when it was last used')
    .action(async (id, options) => result(options, await (await connect(options)).call('getKey', keyId(id)), shown));

  described(command('update <id>', 'change what a key may do'), {})
    .option('--disable', 'refuse the key until it is enabled again')
    .option('--enable', 'no longer')
    .option('--no-expiry', 'the key does not end')
    .option('--no-ips', 'the key counts from everywhere')
    .option('--no-limits', 'no limits of its own')
    .action(async (id, options) => {
      if (options.disable && options.enable) throw misused('--disable and --enable cannot both be meant');
      const disabled = options.disable ? true : options.enable ? false : undefined;
      const off = given({
        expires_in_secs: options.expiry === false ? null : undefined,
        ips: options.ips === false ? null : undefined,
        limits: options.limits === false ? null : undefined,
      });
      const body = { ...bodyOf(options), ...off, ...given({ disabled }) };
      if (Object.keys(body).length === 0) throw misused('nothing to change', 'npx edgegate keys update --help lists what can be changed');
      result(options, await (await connect(options)).call('changeKey', keyId(id), body), shown);
    });

  command('rotate <id>', 'make a new key in place of this one, which goes on for a while')
    .option('--overlap <time>', 'how long the old key goes on: 24h by default, at most 30d', duration)
    .action(async (id, options) => {
      const body = given({ overlap_secs: options.overlap });
      minted(options, await (await connect(options)).call('rotateKey', keyId(id), body));
    });

  command('revoke <id>', 'end a key for good')
    .option('-y, --yes', 'do not ask')
    .action(async (id, options) => {
      keyId(id);
      const gate = await connect(options);
      await sure(`Revoke ${id} at ${gate.url}? It cannot be undone here.`, options);
      result(options, await gate.call('revokeKey', id), () => '');
      if (!options.json) done(`${id} is revoked`);
    });
}

/** What a key is. */
function described(command, { required = false }) {
  const name = ['--name <name>', 'what people call it'];
  const owner = ['--owner <owner>', 'whose it is'];
  if (required) command.requiredOption(...name).requiredOption(...owner);
  else command.option(...name).option(...owner);
  return command
    .option('--scope <scopes>', 'what it may do; several times, or with commas', many)
    .option('--ip <networks>', 'from where alone it counts; several times, or with commas', many)
    .option('--limit <name=requests>', "how often in place of the policy's limit; several times", numbers)
    .option('--expires-in <time>', 'how long it lives, such as 90d; for ever without', duration);
}

const bodyOf = ({ name, owner, scope, ip, limit, expiresIn }) => given({ name, owner, scopes: scope, ips: ip, limits: limit, expires_in_secs: expiresIn });

async function hashOfKey(options) {
  const key = canAsk(options) ? await secret('The key', 'give it on standard input, or --sha256') : await standardInput('the key');
  if (key === '') throw misused('standard input has no key', 'give the key there, or its --sha256');
  return createHash('sha256').update(key).digest('hex');
}

/** The key alone on standard output, what it is beside it. */
function minted(options, record) {
  result(options, record, ({ key }) => plain(key));
  if (options.json) return;
  say(shown(record));
  done('the key is shown this once: the gate does not keep it');
}

const shown = ({ id, name, owner, scopes, limits, ips, created_at: created, expires_at: expires, disabled, last_used_at: used }) => fields([
  ['id', id], ['name', name], ['owner', owner], ['scopes', scopes?.join(' ')], ['limits', limits && JSON.stringify(limits)], ['networks', ips?.join(' ')],
  ['created', time(created)], ['expires', time(expires)], ['last used', time(used)], ['state', disabled ? 'disabled' : undefined],
]);
