// The bytes of what is shipped, beside what the project wants them to be.

import { atMost } from '../lib/measure.mjs';
import { sizes } from '../lib/sizes.mjs';

async function size() {
  return (await sizes()).filter(({ target_gzip }) => target_gzip !== undefined).map(({ name, gzip, target_gzip }) => ({
    subject: `${name}, gzip`,
    peer: 'its target',
    kind: 'size',
    ratio: gzip / target_gzip,
    quartiles: null,
    rounds: 1,
    unit: 'bytes',
    subject_value: gzip,
    peer_value: target_gzip,
    target: atMost(1),
  }));
}

export const SIZE_ROWS = [{ id: 'size', about: 'Sizes', run: size }];
