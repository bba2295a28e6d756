import { configError } from './errors.js';

/** In place of `createGate` where the larger engine would have to be loaded even by those who do not use it: it has an entry of its own. */
export const noGate = (entry) => () => {
  throw elsewhere('createGate', entry);
};

/** In place of `checkPolicy`, for the same reason. */
export const noCheck = (entry) => async () => {
  throw elsewhere('checkPolicy', entry);
};

const elsewhere = (name, entry) => configError('', `here ${name} comes from '${entry}', which brings the engine with the guard`);
