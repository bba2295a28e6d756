// What the watch and the health say, again and again while somebody looks.

import { Refused } from './gate.js';

/** The window, and how often it is read: a point of a long one moves seldom. */
export const WINDOWS = { '15m': ['15 min', 5000], '1h': ['1 h', 10_000], '24h': ['24 h', 30_000], '7d': ['7 d', 60_000] };

const HEALTH_MILLIS = 30_000;
const MOST_MILLIS = 60_000;

/** Reads until it is stopped. `tell` gets what is known: a report, the health, or why there is none. */
export function follow(gate, tell) {
  const known = { window: '15m', report: undefined, health: undefined, fault: undefined, at: undefined };
  let timer;
  let healthAt = 0;
  let faults = 0;
  let paused = false;
  let stopped = false;

  async function read() {
    clearTimeout(timer);
    const { window } = known;
    const [, every] = WINDOWS[window];
    let wait = every;
    try {
      const now = Date.now();
      const [report, health] = await Promise.all([
        gate.ask('GET', '/admin/watch', { query: { window } }).catch((error) => {
          if (error instanceof Refused && error.code === 'NOT_FOUND') return null;
          throw error;
        }),
        // Whatever it says, it is no reason to show nothing.
        now - healthAt < HEALTH_MILLIS ? known.health : gate.ask('GET', '/health').catch(() => undefined),
      ]);
      if (stopped || window !== known.window) return;
      if (now - healthAt >= HEALTH_MILLIS) healthAt = now;
      Object.assign(known, { report, health, fault: undefined, at: now });
      faults = 0;
    } catch (error) {
      if (stopped) return;
      faults += 1;
      wait = Math.max(Math.min(every * 2 ** faults, MOST_MILLIS), (error.waitSecs ?? 0) * 1000);
      known.fault = error;
    }
    tell(known);
    clearTimeout(timer);
    if (!stopped && !paused && !document.hidden) timer = setTimeout(read, wait);
  }

  const seen = () => {
    if (!document.hidden && !paused && !stopped) read();
    else clearTimeout(timer);
  };
  document.addEventListener('visibilitychange', seen);
  read();
  return {
    known,
    read,
    isPaused: () => paused,
    pause(value) {
      paused = value;
      if (paused) clearTimeout(timer);
      else read();
    },
    choose(window) {
      known.window = window;
      read();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    },
  };
}
