import { configError } from './errors.js';

/** In place of `createGate`: a Worker carries every module that it imports, so the larger engine has an entry of its own. */
export const createGate = () => {
  throw configError('', "in Workers createGate comes from 'edgegate/gate', which brings the engine with the guard");
};
