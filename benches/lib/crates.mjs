// What the compiled modules consist of, before wasm-opt: bytes of code by crate, from the section of names.
//
// Inlined code counts for the function it ended up in, and what is generic for the crate that defines it. It shows where
// to look, not what would be saved.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TARGET = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
const { artefacts } = JSON.parse(readFileSync(new URL('../sizes.json', import.meta.url), 'utf8'));

const CARGO = 'target/wasm32-unknown-unknown/';

const CUSTOM = 0;
const IMPORT = 2;
const CODE = 10;
const DATA = 11;
const FUNCTION_NAMES = 1;
const KIND_FUNCTION = 0;

/** Reads LEB128 numbers and names (WebAssembly Core §5). */
class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  number() {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.bytes[this.at];
      this.at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  }

  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text() {
    return this.take(this.number()).toString('utf8');
  }

  get done() {
    return this.at >= this.bytes.length;
  }
}

function sections(bytes) {
  const reader = new Reader(bytes, 8);
  const found = [];
  while (!reader.done) {
    const [id] = reader.take(1);
    found.push({ id, content: reader.take(reader.number()) });
  }
  return found;
}

/** How many functions come before the module's own. */
function importedFunctions(content) {
  const reader = new Reader(content);
  let count = 0;
  for (let rest = reader.number(); rest > 0; rest -= 1) {
    reader.text();
    reader.text();
    const [kind] = reader.take(1);
    if (kind === KIND_FUNCTION) {
      count += 1;
      reader.number();
    } else {
      skipType(reader, kind);
    }
  }
  return count;
}

function skipType(reader, kind) {
  const limits = () => {
    const flags = reader.number();
    reader.number();
    if (flags & 1) reader.number();
  };
  if (kind === 1) {
    reader.take(1);
    limits();
  } else if (kind === 2) {
    limits();
  } else {
    reader.take(2);
  }
}

function functionNames(content) {
  const reader = new Reader(content);
  reader.text();
  while (!reader.done) {
    const [id] = reader.take(1);
    const part = new Reader(reader.take(reader.number()));
    if (id !== FUNCTION_NAMES) continue;
    return new Map(Array.from({ length: part.number() }, () => [part.number(), part.text()]));
  }
  return new Map();
}

/** The crate in a symbol: plain, or mangled in the old or the new way. */
export function crateOf(name) {
  const old = /^_ZN(\d+)(.*)$/.exec(name);
  if (old !== null) {
    const first = old[2].slice(0, Number(old[1]));
    // `<T as Trait>` is spelled `_$LT$T$u20$as$u20$Trait$GT$`, with `..` for `::`.
    const path = first.replace(/^_?\$LT\$(impl\$u20\$)?/, '').replace(/\$(RF|BP)\$(mut\$u20\$)?/g, '');
    return /^\w+/.exec(path)?.[0] ?? '?';
  }
  const crate = /C[a-zA-Z0-9]*_(\d+)_?(.*)$/.exec(name.startsWith('_R') ? name : '');
  if (crate !== null) return crate[2].slice(0, Number(crate[1]));
  return /^[<&*\s]*(?:impl |dyn |mut |const )*(\w+)(?:::|<)/.exec(name)?.[1] ?? '(no path)';
}

/** The parts of a module: its functions in their order, with names and code, its data, and its sections of other names. */
export function partsOf(bytes) {
  const all = sections(bytes);
  const content = (id) => all.find((section) => section.id === id)?.content ?? Buffer.from([0]);
  const customs = all.filter(({ id }) => id === CUSTOM)
    .map(({ content: custom }) => ({ name: new Reader(custom).text(), bytes: custom.length, content: custom }));
  const names = functionNames(customs.find(({ name }) => name === 'name')?.content ?? Buffer.from([0]));
  if (names.size === 0) throw new Error('the module has no names');
  const reader = new Reader(content(CODE));
  const first = importedFunctions(content(IMPORT));
  const functions = Array.from({ length: reader.number() }, (_, index) => {
    const code = reader.take(reader.number());
    return { name: names.get(first + index) ?? '', bytes: code.length, code };
  });
  return { functions, customs, code: content(CODE), data: content(DATA) };
}

function analyse(bytes) {
  const { functions, customs, code, data } = partsOf(bytes);
  const crates = new Map();
  for (const { name, bytes: size } of functions) {
    const crate = crateOf(name);
    crates.set(crate, (crates.get(crate) ?? 0) + size);
  }
  const byBytes = (a, b) => b.bytes - a.bytes;
  return {
    code: code.length,
    data: data.length,
    custom: customs.map(({ name, bytes: size }) => ({ name, bytes: size })).sort(byBytes),
    crates: [...crates].map(([name, size]) => ({ name, bytes: size })).sort(byBytes),
    functions: functions.sort(byBytes).slice(0, 30),
  };
}

export function bytesByCrate() {
  return artefacts.map(({ name, compiled, build }) => {
    // `target/` may be elsewhere for cargo; what is bound for npm lies in the repository's.
    const file = compiled.startsWith(CARGO) ? path.join(TARGET, compiled.slice('target/'.length)) : path.join(ROOT, compiled);
    if (!existsSync(file)) throw new Error(`${name}: not compiled: ${build}`);
    return { name, ...analyse(readFileSync(file)) };
  });
}
