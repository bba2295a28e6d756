import { test } from 'node:test';

import { expires } from './expiry.mjs';

/** `cargo xtask test --full login` has a thousand, and answers that take up to ten seconds. */
test('a hundred requests at the end of a token: the provider is asked once, and all are answered', () => expires(100, [0, 1500]));
