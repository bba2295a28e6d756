// Each kind of runtime once, with and without its own cryptography. `matrix/` has the other versions and browsers.

import { conform } from './conform.mjs';
import { QUICK } from './runtimes.mjs';

conform(QUICK);
