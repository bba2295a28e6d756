// The processor time of a workerd that this process has started. Only where there is /proc, as on Linux.

import { readFileSync, readdirSync } from 'node:fs';

function read(path) {
  try {
    return readFileSync(path, 'latin1').trimEnd();
  } catch {
    return undefined;
  }
}

function workerds() {
  try {
    return readdirSync('/proc').filter((id) => {
      if (!/^\d+$/.test(id)) return false;
      const [, name, rest] = /^\d+ \((.*)\) (.*)$/.exec(read(`/proc/${id}/stat`) ?? '') ?? [];
      return name === 'workerd' && Number(rest.split(' ')[1]) === process.pid;
    });
  } catch {
    return [];
  }
}

/**
 * Runs `begin`, which starts one workerd.
 *
 * @returns what `begin` returned, and a clock of that workerd's processor time in ms; `undefined` where there is none
 */
export async function withProcessorClock(begin) {
  const before = workerds();
  const started = await begin();
  const id = workerds().find((one) => !before.includes(one));
  const clock = () => processorTime(id);
  return { started, clock: id !== undefined && clock() > 0 ? clock : undefined };
}

/** In ms: all threads, which the scheduler counts in ns. Those that are asleep have been counted to the last. */
function processorTime(id) {
  let total = 0;
  for (const thread of readdirSync(`/proc/${id}/task`)) {
    total += Number(read(`/proc/${id}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  }
  return total / 1e6;
}
