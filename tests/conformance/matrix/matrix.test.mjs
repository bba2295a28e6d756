// The runtimes that the quick test leaves out: other versions, another browser.

import { conform } from '../conform.mjs';
import { MATRIX } from '../runtimes.mjs';

conform(MATRIX);
