// Paired measurement: in every round each contestant gets a batch of the same work, one after the other.
//
// A ratio is taken within a round and the median over the rounds is reported, with the quartiles. What the
// machine does besides then meets both sides alike. The order turns from round to round.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** Only the young generation: full collections would make the engine forget compiled code. */
const emptyNursery = () => collect({ type: 'minor' });

/** What a user waits, in ms. For what waits for other threads. */
export const wallClock = () => performance.now();

/**
 * The processor time of this process, in ms. For what computes in one go: on an idle machine it is the time that passes,
 * on a busy one it leaves out what others take in between.
 */
export function processorClock() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The value below which this part of the list lies. */
export function quantile(list, part) {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at % 1);
}

export const median = (list) => quantile(list, 0.5);

/**
 * The time of each contestant in each round, in ms by each of the clocks.
 *
 * @param {{ name: string, run: (work: unknown) => unknown }[]} contestants
 * @param {object} options
 * @param {number} options.rounds that count
 * @param {number} options.warmup rounds before them
 * @param {Record<string, () => number>} options.clocks
 * @param {(round: number) => (contestant: object) => unknown} options.work what each gets in this round; not timed
 * @returns {Promise<(name: string, clock?: string) => number[]>} the first clock if none is named
 */
export async function rounds(contestants, { rounds: count, warmup, clocks, work }) {
  const names = Object.keys(clocks);
  const times = new Map(contestants.map(({ name }) => [name, Object.fromEntries(names.map((clock) => [clock, []]))]));
  const read = () => names.map((clock) => clocks[clock]());
  for (let round = -warmup; round < count; round += 1) {
    const of = await work(round);
    const given = contestants.map((contestant) => of(contestant));
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const index = at(round + warmup, turn, contestants.length);
      const { name, run } = contestants[index];
      emptyNursery();
      const began = read();
      await run(given[index]);
      const ended = read();
      if (round >= 0) names.forEach((clock, which) => times.get(name)[clock].push(ended[which] - began[which]));
    }
  }
  return (name, clock = names[0]) => times.get(name)[clock];
}

/** Forwards and backwards in turn, beginning with another one each time. */
function at(round, turn, count) {
  const begin = Math.floor(round / 2) % count;
  return (begin + (round % 2 === 0 ? turn : count - 1 - turn)) % count;
}

/**
 * One line of the table.
 *
 * `speed` says how many times faster the subject is (the peer's time by its own), `time` what part of the peer's
 * time it takes.
 */
export function compare({ subject, peer, kind, target = null, unit, scale = 1 }) {
  const ratios = subject.times.map((mine, round) => {
    const theirs = peer.times[round];
    return kind === 'speed' ? theirs / mine : mine / theirs;
  });
  return {
    subject: subject.name,
    peer: peer.name,
    kind,
    ratio: median(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    rounds: ratios.length,
    unit,
    subject_value: median(subject.times) * scale,
    peer_value: median(peer.times) * scale,
    target,
  };
}

/** One line for what has a target by itself: at most this `value`, in the unit of the times. */
export const compareWithTarget = ({ subject, value, unit }) => compare({
  subject, peer: { name: 'its target', times: subject.times.map(() => value) }, kind: 'time', target: atMost(1), unit,
});

export const atLeast = (value) => ({ at_least: value });
export const atMost = (value) => ({ at_most: value });
