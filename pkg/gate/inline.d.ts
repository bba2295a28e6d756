/** The same as `edgegate/inline`, everywhere with {@link createGate}. */
export * from '../index.js';
