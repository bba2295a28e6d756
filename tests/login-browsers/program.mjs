// Programs of Node beside a test, with a clock that the test moves.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLOCK = new URL('clock.mjs', import.meta.url).href;

/** Starts a program, which gets `settings` and sends `{ ready }` once it listens. `tell` sends it a message and waits until that is done. */
export async function startProgram(file, settings, { authority } = {}) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(settings)], {
    execArgv: ['--import', CLOCK],
    env: { ...process.env, NODE_OPTIONS: '', ...(authority ? { NODE_EXTRA_CA_CERTS: authority } : {}) },
    stdio: ['ignore', 'ignore', process.env.LOGIN_BROWSERS_DEBUG ? 'inherit' : 'ignore', 'ipc'],
  });
  const gone = once(child, 'exit').then(() => { throw new Error(`${file} has ended`); });
  gone.catch(() => {});
  const message = async (wanted) => {
    for (;;) {
      const [found] = await Promise.race([once(child, 'message'), gone]);
      if (wanted(found)) return found;
    }
  };
  const { ready } = await message((found) => found.ready !== undefined);
  let id = 0;
  return {
    ready,
    async tell(what) {
      id += 1;
      const mine = id;
      child.send({ ...what, id: mine });
      return message((found) => found.done === mine);
    },
    async close() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
