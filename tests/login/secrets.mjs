// Looks for secrets in bytes, however they are written.

/** The shortest text that is looked for: anything shorter may stand somewhere by chance. */
const SHORTEST = 16;

/** So many bytes at the end of a text decide whether it is looked at. */
const TAIL = 12;

/** All the ways in which these bytes may be written. */
function spellings(bytes) {
  const found = [bytes];
  const hex = bytes.toString('hex');
  found.push(hex, hex.toUpperCase());
  // In a longer text each of three positions has other letters, and the first and the last depend on what stands beside.
  for (const before of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    const text = whole.toString('base64').replace(/=+$/, '');
    const inner = text.slice(before === 0 ? 0 : before + 1, whole.length % 3 === 0 ? undefined : -1);
    found.push(inner, inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  found.push(percent, percent.toUpperCase());
  return found;
}

const isText = (bytes) => /^[\x20-\x7e]*$/.test(bytes.toString('latin1'));

/** A text, as it is written and as the bytes that it stands for. */
function needles(text) {
  const bytes = Buffer.from(text, 'utf8');
  const found = spellings(bytes);
  if (isText(bytes)) {
    found.push(encodeURIComponent(text), encodeURIComponent(encodeURIComponent(text)), text.replaceAll('/', '\\/'));
    found.push(Buffer.from(text, 'utf16le'));
  }
  if (/^[\w-]{22,}$/.test(text) && text.length % 4 !== 1) found.push(...spellings(Buffer.from(text, 'base64url')));
  return found.map((one) => (Buffer.isBuffer(one) ? one : Buffer.from(one, 'latin1')).toString('latin1')).filter(({ length }) => length >= SHORTEST);
}

export class Secrets {
  /** By the end of each spelling: what it ends, and what it is. */
  #byTail = new Map();
  #known = new Set();

  /** `what` says what it is. */
  add(what, text) {
    if (text === undefined || this.#known.has(text)) return;
    if (text.length < SHORTEST) throw new Error(`${what} is too short to be looked for`);
    this.#known.add(text);
    for (const needle of new Set(needles(text))) {
      const tail = needle.slice(-TAIL);
      this.#byTail.set(tail, [...(this.#byTail.get(tail) ?? []), { what, needle }]);
    }
  }

  /** A token of three parts: each is looked for by itself, but for the first, which all have. */
  addToken(what, token) {
    if (token === undefined) return;
    const parts = token.split('.');
    if (parts.length !== 3) return this.add(what, token);
    this.add(`${what}, its claims`, parts[1]);
    this.add(`${what}, its signature`, parts[2]);
  }

  get size() {
    return this.#known.size;
  }

  /** What is found in these bytes, each once. */
  in(bytes) {
    const text = Buffer.from(bytes).toString('latin1');
    const found = new Set();
    for (let end = TAIL; end <= text.length; end += 1) {
      const ending = this.#byTail.get(text.slice(end - TAIL, end));
      for (const { what, needle } of ending ?? []) {
        if (text.startsWith(needle, end - needle.length)) found.add(what);
      }
    }
    return [...found];
  }
}
