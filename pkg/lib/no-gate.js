import { configError } from './errors.js';

/** Stands in for `createGate`. A Worker carries every module that it imports, so the larger engine has an entry of its own. */
export const createGate = () => {
  throw configError('', "in Workers createGate comes from 'edgegate/gate', which brings the engine with the guard");
};
