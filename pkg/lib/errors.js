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

/** As the core says it. */
export const keysUnavailable = (issuer, problem) =>
  new EdgegateError({ code: 'KEYS_UNAVAILABLE', reason: 'keys_unavailable', message: `keys of ${issuer}: ${problem}` });

/** As the core says it. Checked here too, so that a long text is not copied into the engine's memory first. */
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

/** What a store threw, which may be anything: one line of it, for the operator's log. */
export function problemOf(error) {
  try {
    return String(error?.message ?? error).split('\n', 1)[0].slice(0, 200);
  } catch {
    return 'it failed with what is no text';
  }
}
