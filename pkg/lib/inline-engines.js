import zlib from 'node:zlib';

import { compileSync } from './compile.js';
import { inflated } from './inflate.js';
// As in node-engines.js relative to the bundle, beside which `cargo xtask package` puts them.
import { text as fast } from './edgegate_fast_text.js';
import { text as gate } from './edgegate_gate_text.js';
import { text as pure } from './edgegate_pure_text.js';

const compiled = (text) => compileSync(inflated(zlib, text));

// The same engines as those of node-engines.js, as a part of the code: nothing has to be found on the disk.
export const fastEngine = () => compiled(fast);
export const gateEngine = () => compiled(gate);
export const pureEngine = () => compiled(pure);
