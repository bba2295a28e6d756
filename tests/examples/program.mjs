// Programs that the tests of the examples start.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const READY_MILLIS = 60_000;

/** Starts a program and waits until its output matches. `printed` is the match, `stop` ends the program. */
export async function startProgram(file, parameters, { ready, ...options }) {
  const child = spawn(file, parameters, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  const printed = await new Promise((resolve, reject) => {
    const give = (reason) => reject(new Error(`${file} ${parameters.join(' ')} ${reason}:\n${output}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      give(`printed nothing like ${ready}`);
    }, READY_MILLIS);
    const read = (chunk) => {
      output += chunk;
      const match = ready.exec(output);
      if (match === null) return;
      clearTimeout(timer);
      resolve(match);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject).once('exit', (code) => {
      clearTimeout(timer);
      give(`ended with ${code}`);
    });
  });
  return { printed, stop: () => stop(child) };
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** The status, the code of a refusal, the headers and the body of an answer. */
export async function ask(url, options = {}) {
  const response = await fetch(url, { headers: { Connection: 'close' }, ...options });
  const text = await response.text();
  const body = text.startsWith('{') ? JSON.parse(text) : text;
  return { status: response.status, code: body.code, headers: response.headers, body };
}
