/** What ends a command: what was wrong, and what to do about it. */
export class Failure extends Error {
  name = 'Failure';

  /** `exitCode` 1: refused or failed, 2: the command is used wrongly. */
  constructor(message, { hint, exitCode = REFUSED, ...facts } = {}) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
    this.facts = facts;
  }
}

export const REFUSED = 1;
export const USAGE = 2;
/** Of `doctor`, whose 2 says that there are warnings. */
export const COULD_NOT_RUN = 3;

/** The command is used wrongly. */
export const misused = (message, hint) => new Failure(message, { hint, exitCode: USAGE });
