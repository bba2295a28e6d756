// Asks the programs of others that are in Python (counterparts.py): one after the other, by name.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { ensure, python } from './environment.mjs';

export class Counterparts {
  #program;
  #lines;

  constructor() {
    ensure();
    this.#program = spawn(python, ['-W', 'ignore', fileURLToPath(new URL('counterparts.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#program.stdout })[Symbol.asyncIterator]();
  }

  async ask(name, given = {}) {
    this.#program.stdin.write(`${JSON.stringify({ ask: name, ...given })}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`${name}: counterparts.py has ended`);
    const { answer, error } = JSON.parse(value);
    if (error !== undefined) throw new Error(`${name}: ${error}`);
    return answer;
  }

  end() {
    this.#program.stdin.end();
  }
}
