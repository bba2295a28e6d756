import { test } from 'node:test';

import { rotates } from '../rotation.mjs';

test('a session secret is changed under 500 sessions and 50 grants, with 50 logins under way', () => rotates({ tokens: 450, people: 50, logins: 25 }));
