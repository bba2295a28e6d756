// What tests of accounts share.

import { sessionPolicy } from './session-gate.mjs';

export const accountPolicy = (changes = {}, accounts = {}) => sessionPolicy({
  accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], ...accounts }, ...changes,
});
