// What an authenticator shows: otplib's, which is not the gate's own.

import { generateSync } from 'otplib';

/** The code of this secret, so many milliseconds ahead of the machine's clock. */
export const shown = (secret, ahead = 0) => generateSync({ secret, epoch: Math.floor((Date.now() + ahead) / 1000) });
