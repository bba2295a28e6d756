import { configError } from './errors.js';
import { within } from './within.js';

const isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

/** The option `passwords` of a gate: bytes, or a function that reads them. */
export function passwordsOf(passwords) {
  if (passwords !== undefined && typeof passwords !== 'function' && !isBytes(passwords)) {
    throw configError('passwords', 'expected the bytes of a list, or a function that reads them');
  }
  return passwords;
}

/** The job of the engine for it (crates/engine/src/gate/task.rs). `give` has the engine take the bytes: as text they would be several times as much. */
export const passwordJobs = (passwords, give) => ({
  async readPasswords({ millis }) {
    if (passwords === undefined) return null;
    const bytes = typeof passwords === 'function' ? await within(passwords(), millis) : passwords;
    if (!isBytes(bytes)) throw new Error('passwords: expected bytes');
    const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
    return { number: give(view), length: view.length };
  },
});
