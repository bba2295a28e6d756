// The lines that `cargo xtask dev` prints for the shell, and what each has to give.

/** By the comment above the line. All other lines give 200. */
const STATUSES = new Map([
  ['no credential: 401', ['401']],
  ['a limit of 5 a minute: 200 five times, then 429', ['200', '200', '200', '200', '200', '429', '429']],
]);

/** Returns `{ about, command, expected }` for each line in the whole output. */
export function printedCommands(text) {
  const found = text.matchAll(/^# (.+)\n((?:curl|for) .+(?:\ncurl .+)*)$/gm);
  return [...found].flatMap(([, about, lines]) =>
    lines.split('\n').map((command) => ({ about, command, expected: STATUSES.get(about) ?? ['200'] })));
}

/** Returns the statuses in the output of a line: those of each head with `curl -i`, otherwise words of their own. */
export const statuses = (answer) => [...answer.matchAll(/^(?:HTTP\/[\d.]+ )?(\d{3})\b(?: [\w ]+)?\r?$/gm)].map(([, status]) => status);
