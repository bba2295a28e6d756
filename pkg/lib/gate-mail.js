import { configError } from './errors.js';
import { within } from './within.js';

/** The option `mail` of a gate. */
export function mailerOf(mail) {
  if (mail !== undefined && typeof mail !== 'function') throw configError('mail', 'expected a function that sends a mail');
  return mail;
}

/** The job of the engine for it (crates/engine/src/gate/task.rs). */
export const mailJobs = (mail) => ({
  async tellMailer({ id, body, millis }) {
    if (mail === undefined) return null;
    const { expires_in: expiresIn, ...message } = JSON.parse(body);
    await within(mail({ id, ...message, ...(expiresIn !== undefined && { expiresIn }) }), millis);
    return true;
  },
});
