// Processor time and memory of a process that serves, such as a workerd that this process has started. Only where there is
// /proc, as on Linux.

import { existsSync, readFileSync, readdirSync } from 'node:fs';

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
 * @returns what `begin` returned, a clock of that workerd's processor time in ms, `undefined` where there is none, and what tells its
 * memory
 */
export async function withProcessorClock(begin) {
  const before = workerds();
  const started = await begin();
  const id = workerds().find((one) => !before.includes(one));
  return { started, clock: clockOf(id), memory: () => ownMemory(id) };
}

/** A clock of the processor time of a process, in ms; `undefined` where there is none. */
export function clockOf(id) {
  const clock = () => processorTime(id);
  return id !== undefined && existsSync(`/proc/${id}/task`) && clock() > 0 ? clock : undefined;
}

/** What a process has of the memory for itself, in MiB: not the pages of its program. `undefined` where that is not told. */
export function ownMemory(id) {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(read(`/proc/${id}/status`) ?? '') ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

/** In ms: all threads, which the scheduler counts in ns. Those that are asleep have been counted to the last. */
function processorTime(id) {
  let total = 0;
  for (const thread of readdirSync(`/proc/${id}/task`)) {
    total += Number(read(`/proc/${id}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  }
  return total / 1e6;
}
