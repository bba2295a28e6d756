import { configError } from './errors.js';

/** Compiles the engine at once. */
export function compileSync(bytes) {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    throw explained(error, bytes);
  }
}

/** The same without holding the host up. */
export async function compile(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw explained(error, bytes);
  }
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** Whether these bytes are meant to be WebAssembly at all. */
export const isWasm = (buffer) => {
  const bytes = new Uint8Array(buffer);
  return MAGIC.every((byte, index) => bytes[index] === byte);
};

/** Hosts that forbid it say so each in its own words. A `RangeError` is about size only: asynchronously it may be done. */
function explained(error, bytes) {
  if (error instanceof RangeError || error instanceof TypeError || !isWasm(bytes)) return error;
  const told = configError('', `this host compiles no WebAssembly (${error.message}): see "Hosts that forbid WebAssembly" in the README of edgegate`);
  told.cause = error;
  return told;
}
