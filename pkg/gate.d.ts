/**
 * The same as `edgegate`. In Workers {@link createGate} is here only: a Worker carries every module that it imports, and the
 * engine with the guard is the larger one.
 */
export * from './index.js';
