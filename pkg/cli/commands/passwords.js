// `edgegate passwords`: lists of passwords that nobody may choose, since attackers try those first.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { compileSync } from '../../lib/compile.js';
import { Engine } from '../../lib/engine.js';
import { nodePlatform } from '../../lib/node-platform.js';
import { DONE } from '../../lib/protocol.js';
import { Failure, misused } from '../failure.js';
import { done, result } from '../output.js';
import { whole } from '../values.js';

/** What fits into a list: 20 MB, which one value of KV can have. */
const MOST = 8_388_608;
/** Fewer characters are refused whatever they are. */
const LEAST_CHARACTERS = 8;
const LEAKED = /^([0-9A-Fa-f]{40})(?::(\d+))?$/;

export function passwords(program) {
  const group = program.command('passwords').description('lists of passwords that nobody may choose');
  group.command('build <file>')
    .description('make a list of a file with a password a line, or the SHA-1 of one in hexadecimal and, behind a colon, how often it was leaked')
    .option('--at-least <times>', 'leave out hashes that were leaked less often', whole)
    .requiredOption('--out <file>', 'where the list is written to')
    .action(async (file, options) => {
      const prints = await fingerprintsIn(file, options.atLeast ?? 1);
      const { count, bytes } = await listOf(prints);
      writeFileSync(options.out, bytes);
      result(options, { passwords: count, bytes: bytes.length, file: options.out }, () => '');
      if (!options.json) done(`${options.out} has ${count} passwords in ${bytes.length} bytes`);
    });
}

/** The first eight bytes of the SHA-1 of each password. */
async function fingerprintsIn(file, atLeast) {
  if (!existsSync(file)) throw misused(`${file}: there is no such file`);
  const prints = new Growing();
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    const print = fingerprint(line, atLeast);
    if (print === undefined) continue;
    if (prints.count === MOST) throw new Failure(`${file}:${number}: a list has ${MOST} passwords at most`, { hint: 'leave out rare ones with --at-least' });
    prints.add(print);
  }
  if (prints.count === 0) throw new Failure(`${file}: there is no password of ${LEAST_CHARACTERS} characters or more in it`);
  return prints.bytes();
}

function fingerprint(line, atLeast) {
  const [, hash, times = '1'] = LEAKED.exec(line) ?? [];
  if (hash !== undefined) return Number(times) < atLeast ? undefined : Buffer.from(hash.slice(0, 16), 'hex');
  const password = line.normalize('NFKC');
  return [...password].length < LEAST_CHARACTERS ? undefined : createHash('sha1').update(password).digest().subarray(0, 8);
}

/** Bytes that become more. */
class Growing {
  #bytes = Buffer.alloc(1 << 16);
  #length = 0;

  get count() {
    return this.#length / 8;
  }

  add(print) {
    if (this.#length === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], this.#length * 2);
    print.copy(this.#bytes, this.#length);
    this.#length += 8;
  }

  bytes() {
    return this.#bytes.subarray(0, this.#length);
  }
}

async function listOf(prints) {
  // Beside what this program imports as `edgegate`, wherever it is bundled to.
  const module = new URL('./edgegate_gate_bg.wasm', import.meta.resolve('edgegate'));
  const engine = new Engine(nodePlatform(() => compileSync(readFileSync(module))));
  await engine.ready();
  if (engine.call('passwordList', undefined, prints.toString('base64url')) !== DONE) throw engine.refusal();
  const bytes = Buffer.from(engine.text(), 'base64url');
  return { bytes, count: bytes.readUInt32LE(5) };
}
