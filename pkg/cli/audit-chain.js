// The chain of what administration did, looked at without the gate that wrote it. The form is that of docs/audit.md; tests/vectors/audit-chain.json
// holds this and the Rust library to it.

import { createHash, createHmac, hkdfSync } from 'node:crypto';

const FORM = 'edgegate-audit-v1';
/** The hash before the first entry. */
const ORIGIN = Buffer.alloc(32).toString('base64url');
const NUMBERS = ['seq', 'at', 'of'];
const TEXTS = ['actor', 'action', 'target', 'outcome', 'prev', 'hash'];

/** Each part with its length in eight bytes before it. */
const framed = (parts) => Buffer.concat(parts.flatMap((part) => {
  const bytes = Buffer.from(String(part));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return [length, bytes];
}));

export const hashOf = ({ prev, seq, at, actor, action, target, outcome, of }) => createHash('sha256')
  .update(framed([FORM, prev, seq, at, actor, action, target, outcome, of])).digest('base64url');

export function macOf({ seq, hash, at }, secret) {
  const key = Buffer.from(hkdfSync('sha256', secret, FORM, 'checkpoint', 32));
  return createHmac('sha256', key).update(framed([FORM, seq, hash, at])).digest('base64url');
}

const isNumber = (value) => Number.isSafeInteger(value) && value >= 0;

function faultOfForm(entry) {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'is no object';
  const wrong = NUMBERS.find((name) => !isNumber(entry[name])) ?? TEXTS.find((name) => typeof entry[name] !== 'string');
  const more = Object.keys(entry).find((name) => !NUMBERS.includes(name) && !TEXTS.includes(name));
  if (wrong !== undefined) return `has no good ${wrong}`;
  return more === undefined ? undefined : `has ${more}, which is in no hash`;
}

/**
 * What is wrong with these entries, in their order, held against checkpoints that were kept elsewhere.
 *
 * @param entries as `GET /auth/admin/audit` tells them, from the first that is kept to the last
 * @param options `checkpoints`, `{seq, hash, at, mac}` each; `secret`, of which their MACs are made
 * @returns `{first, last, count, checkpoints, open, problems}`: `checkpoints`, how many the entries agree with; `open`, the numbers of acts of which
 *   nothing says what came of them; no `problems`, no sign of a change
 */
export function verifyChain(entries, { checkpoints = [], secret } = {}) {
  const problems = [];
  const hashes = new Map();
  const open = new Set();
  let before;
  for (const [index, entry] of entries.entries()) {
    const fault = faultOfForm(entry);
    if (fault !== undefined) {
      problems.push(`line ${index + 1} ${fault}`);
      return { first: undefined, last: undefined, count: entries.length, checkpoints: 0, open: [], problems };
    }
    const at = `entry ${entry.seq}`;
    if (hashOf(entry) !== entry.hash) problems.push(`${at} was changed: its hash is another`);
    if (before !== undefined) {
      if (entry.seq !== before.seq + 1) problems.push(`${at} follows entry ${before.seq}: some are missing, put in, or in another order`);
      if (entry.prev !== before.hash) problems.push(`${at} does not follow entry ${before.seq}: one of them was changed, or those between are missing`);
      if (entry.at < before.at) problems.push(`${at} is older than entry ${before.seq}`);
    }
    hashes.set(entry.seq, entry.hash);
    if (entry.outcome === 'begun') open.add(entry.seq);
    open.delete(entry.of);
    before = entry;
  }
  const [first, last] = [entries[0], entries.at(-1)];
  if (first !== undefined) hashes.set(first.seq - 1, first.prev);
  const agreed = checkpoints.filter((one) => agrees(one, { first, last, hashes, secret, problems }));
  const fault = first && faultOfBeginning(entries, agreed);
  if (fault) problems.push(fault);
  return { first: first?.seq, last: last?.seq, count: entries.length, checkpoints: agreed.length, open: [...open], problems };
}

function agrees(checkpoint, { first, last, hashes, secret, problems }) {
  const { seq, hash, mac } = checkpoint;
  const at = `the checkpoint of entry ${seq}`;
  if (secret !== undefined && macOf(checkpoint, secret) !== mac) {
    problems.push(`${at} is not the gate's: its MAC is another`);
    return false;
  }
  if (seq > (last?.seq ?? 0)) {
    problems.push(`${at} is later than the last entry: the end of the chain is missing`);
    return false;
  }
  // Older than what is kept: there is nothing to hold against it.
  if (seq < first.seq - 1) return false;
  if (hashes.get(seq) === hash) return true;
  problems.push(`${at} has another hash: the chain was written anew`);
  return false;
}

/** Where the chain does not begin with 1, an entry has to say so, or a checkpoint to know what was before. */
function faultOfBeginning(entries, agreed) {
  const [{ seq, prev }] = entries;
  if (seq === 1) return prev === ORIGIN ? undefined : 'entry 1 is not the first';
  const said = entries.filter(({ actor, action }) => actor === 'gate' && action === 'cut').at(-1);
  if (said?.target === String(seq) || agreed.some((one) => one.seq === seq - 1)) return undefined;
  return `the chain begins with entry ${seq}, and no entry says that it was cut there: its beginning is missing`;
}

/** The checkpoints in a text: lines of a log, of the event that webhooks get, or of checkpoints alone. Other lines are passed over. */
export function checkpointsIn(text) {
  return text.split('\n').flatMap((line) => {
    const from = line.indexOf('{');
    if (from < 0) return [];
    try {
      const value = JSON.parse(line.slice(from));
      const { event, seq, hash, at, mac } = value.data ?? value;
      const isOne = (event === undefined || event === 'checkpoint') && isNumber(seq) && isNumber(at) && typeof hash === 'string' && typeof mac === 'string';
      return isOne ? [{ seq, hash, at, mac }] : [];
    } catch {
      return [];
    }
  });
}
