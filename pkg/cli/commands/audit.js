// `edgegate audit`: what administration did, written out and verified.

import { readFileSync } from 'node:fs';

import { secretIn } from '../ask.js';
import { checkpointsIn, verifyChain } from '../audit-chain.js';
import { Failure, misused } from '../failure.js';
import { connect, gateOptions } from '../gate.js';
import { done, lines, plain, result, say } from '../output.js';
import { whole } from '../values.js';

export function audit(program) {
  const group = program.command('audit').description('what administration did, as a chain that shows changes');
  gateOptions(group.command('export').description('all that is kept, a line of JSON each'))
    .option('--after <number>', 'only what comes after this entry', whole)
    .action(async (options) => lines(await exported(await connect(options), options.after ?? 0)));
  group.command('verify <file>').description('whether an export was changed, or some of it is missing; needs no gate')
    .option('--checkpoint <file...>', 'checkpoints that were kept elsewhere: lines of a log, bodies of webhooks')
    .option('--secret-file <file>', 'the secret of the watch, by which their MACs are checked; - for standard input')
    .action(async (file, options) => {
      const entries = entriesOf(file);
      const checkpoints = (options.checkpoint ?? []).flatMap((one) => checkpointsOf(one));
      const secret = options.secretFile === undefined ? undefined : await secretIn('--secret-file', options.secretFile);
      const found = verifyChain(entries, { checkpoints, secret });
      result(options, found, ({ problems }) => problems.map(plain).join('\n'));
      if (found.problems.length > 0) throw new Failure(`${file}: the chain does not hold`, { hint: 'who can write to the gate\'s storage, or had this file, has changed it' });
      if (options.json) return;
      if (found.open.length > 0) say(`of ${found.open.length} acts nothing says what came of them: ${found.open.join(', ')}`);
      if (found.checkpoints === 0) say('without a checkpoint nothing shows whether the end is missing, or all of it was written anew');
      done(`${found.count} entries${found.count > 0 ? `, ${found.first} to ${found.last},` : ''} hold together, and with ${found.checkpoints} checkpoints`);
    });
}

async function exported(gate, from) {
  const entries = [];
  let after = from;
  for (;;) {
    const page = await gate.call('listAudit', { after });
    entries.push(...page.entries);
    const last = page.entries.at(-1)?.seq;
    if (!page.more || !(last > after)) return entries;
    after = last;
  }
}

function entriesOf(file) {
  return readText(file).split('\n').filter(Boolean).map((line, index) => {
    try {
      return JSON.parse(line);
    } catch {
      throw new Failure(`${file}:${index + 1}: expected a line of JSON, as audit export writes it`);
    }
  });
}

function checkpointsOf(file) {
  const found = checkpointsIn(readText(file));
  if (found.length === 0) throw misused(`--checkpoint ${file}: there is no checkpoint in it`);
  return found;
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw misused(`${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  }
}
