// The lines that `cargo xtask dev` prints to be pasted into a shell, and what each has to give.

/** By what is printed above a line; all others give 200. */
const STATUSES = new Map([
  ['no credential: 401', ['401']],
  ['a limit of 5 a minute: 200 five times, then 429', ['200', '200', '200', '200', '200', '429', '429']],
]);

/** `{ about, command, expected }` for each line, of all that was printed. */
export function printedCommands(text) {
  const found = text.matchAll(/^# (.+)\n((?:curl|for) .+(?:\ncurl .+)*)$/gm);
  return [...found].flatMap(([, about, lines]) =>
    lines.split('\n').map((command) => ({ about, command, expected: STATUSES.get(about) ?? ['200'] })));
}

/** The statuses in what a line has answered: with `curl -i` of each head, else a word of its own. */
export const statuses = (answer) => [...answer.matchAll(/^(?:HTTP\/[\d.]+ )?(\d{3})\b(?: [\w ]+)?\r?$/gm)].map(([, status]) => status);
