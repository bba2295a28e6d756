import { test } from 'node:test';

import { expires } from '../expiry.mjs';

for (const delay of [0, 100, 3000, 10_000]) {
  test(`a thousand requests at the end of a token, which the provider renews in ${delay} ms`, () => expires(1000, [delay]));
}
