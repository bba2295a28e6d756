/** Why something was refused. `code` is stable and generic, `reason` finer; the message never holds the token. */
export class EdgegateError extends Error {
  /** @param {{code: string, reason: string, message: string, claim?: string, path?: string}} refusal */
  constructor({ code, reason, message, claim, path }) {
    super(message);
    this.code = code;
    this.reason = reason;
    if (claim !== undefined) this.claim = claim;
    if (path !== undefined) this.path = path;
  }
}
Object.defineProperty(EdgegateError.prototype, 'name', { value: 'EdgegateError', configurable: true, writable: true });

/** A fault of the caller's options, in the core's form: `path: problem`. */
export const configError = (path, problem, reason = 'config') =>
  new EdgegateError({
    code: 'CONFIG_ERROR', reason, message: path ? `${path}: ${problem}` : problem, path: path || undefined,
  });

/** What only an asynchronous call can do. */
export const syncUnsupported = (message) =>
  new EdgegateError({ code: 'SYNC_UNSUPPORTED', reason: 'sync_unsupported', message });

export const malformedToken = (message) =>
  new EdgegateError({ code: 'INVALID_TOKEN', reason: 'malformed_token', message });
