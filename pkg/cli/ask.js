// Questions to the person at the terminal. Where there is none, or `--yes` was said, nothing is asked.

import { readFileSync } from 'node:fs';
import * as prompts from '@clack/prompts';

import { Failure, misused } from './failure.js';
import { plain } from './output.js';

export const canAsk = ({ yes, json } = {}) => !yes && !json && process.stdin.isTTY === true && process.stderr.isTTY === true;

const shown = { output: process.stderr };

function answered(answer) {
  if (prompts.isCancel(answer)) throw new Failure('cancelled', { hint: 'nothing was changed by the question that was not answered' });
  return answer;
}

export const text = async (message, options = {}) => answered(await prompts.text({ ...shown, message: plain(message), ...options })) ?? '';
export const confirm = async (message) => answered(await prompts.confirm({ ...shown, message: plain(message), initialValue: false }));
export const select = async (message, options) => answered(await prompts.select({ ...shown, message, options }));

/** A secret, which the terminal does not show. `otherwise` says how else it can be given. */
export async function secret(message, otherwise) {
  if (!canAsk()) throw misused(`${message}: nobody can be asked`, otherwise);
  return answered(await prompts.password({ ...shown, message: plain(message), validate: (value) => (value ? undefined : 'expected a secret') }));
}

/** For what cannot be taken back. */
export async function sure(message, options) {
  if (options.yes) return;
  if (!canAsk(options)) throw misused(`${message} Nobody can be asked`, 'say --yes if it is meant');
  if (!(await confirm(message))) throw new Failure('not done');
}

/** What has read standard input. */
let reader;

/** All of standard input, without the end of its line. It is one thing only. */
export async function standardInput(what) {
  if (reader !== undefined) throw misused(`standard input cannot be ${reader} and ${what}`, 'put one of them into a file');
  reader = what;
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').replace(/\r?\n$/, '');
}

/** A secret in a file, or with `-` on standard input. A fault does not repeat the name: somebody may have written the secret itself there. */
export async function secretIn(option, file) {
  const found = (file === '-' ? await standardInput(option) : textOf(option, file)).trim();
  if (found === '') throw misused(`${option}: there is nothing in it`, 'expected a secret');
  return found;
}

function textOf(option, file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = { ENOENT: 'there is no such file', EACCES: 'the file cannot be read', EISDIR: 'it is a folder' }[error.code] ?? 'cannot be read';
    throw misused(`${option}: ${reason}`, 'expected the name of a file. A secret itself does not belong into the command line: others can see it there');
  }
}
