import { configError } from './errors.js';

/** In place of `createGate` where the larger engine would have to be loaded even by those who do not use it: it has an entry of its own. */
export const noGate = (entry) => () => {
  throw configError('', `here createGate comes from '${entry}', which brings the engine with the guard`);
};
