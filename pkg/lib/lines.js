// Texts as lines: how a request goes to the engine, and how an admission comes back (crates/engine/src/gate/lines.rs).

/** Within a text `\n` stands for a line break, and `\\` for a backslash. `undefined` is an empty line. */
export function toLines(texts) {
  let lines = escaped(texts[0]);
  for (let index = 1; index < texts.length; index += 1) {
    const text = texts[index];
    lines += text === undefined ? '\n' : `\n${escaped(text)}`;
  }
  return lines;
}

export function fromLines(lines) {
  const texts = lines.split('\n');
  return lines.includes('\\') ? texts.map(unescaped) : texts;
}

const escaped = (text) =>
  (text.includes('\n') || text.includes('\\') ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n') : text);

const unescaped = (line) => line.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
