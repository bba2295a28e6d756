import { gateEngine } from './node-engines.js';
import { nodePlatform } from './node-platform.js';
import { createRehearsalWith } from './rehearsal.js';

export const createRehearsal = /* @__PURE__ */ createRehearsalWith(/* @__PURE__ */ nodePlatform(gateEngine));
