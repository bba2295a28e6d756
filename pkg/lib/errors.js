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

/** A fault in the caller's options, in the core's form: `path: problem`. */
export const configError = (path, problem, reason = 'config') =>
  new EdgegateError({
    code: 'CONFIG_ERROR', reason, message: path ? `${path}: ${problem}` : problem, path: path || undefined,
  });

/** The error of a synchronous call that would have to wait. */
export const syncUnsupported = (message) =>
  new EdgegateError({ code: 'SYNC_UNSUPPORTED', reason: 'sync_unsupported', message });

export const malformedToken = (message) =>
  new EdgegateError({ code: 'INVALID_TOKEN', reason: 'malformed_token', message });

/** The core has the same error. */
export const keysUnavailable = (issuer, problem) =>
  new EdgegateError({ code: 'KEYS_UNAVAILABLE', reason: 'keys_unavailable', message: `keys of ${issuer}: ${problem}` });

/** The core has the same error. The length is checked here too, so that a long text is not copied into the engine's memory first. */
export const tokenTooLong = (token, limit) =>
  new EdgegateError({
    code: 'INVALID_TOKEN', reason: 'token_too_long',
    message: `token has ${utf8Length(token)} bytes, more than the ${limit} allowed`,
  });

function utf8Length(text) {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // A surrogate is half of a character of four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}

/** One line for the operator's log about what a store threw, which may be anything. */
export function problemOf(error) {
  try {
    return String(error?.message ?? error).split('\n', 1)[0].slice(0, 200);
  } catch {
    return 'it failed with what is no text';
  }
}
