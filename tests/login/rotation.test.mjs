import { test } from 'node:test';

import { rotates } from './rotation.mjs';

/** `cargo xtask test --full login` has ten times as many. */
test('a session secret is changed: nobody is logged out, logins come to their end, grants stay', () => rotates({ tokens: 45, people: 5, logins: 5 }));
