// What a person sees behind each subject.

const escape = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** The page that everybody wants to see. */
export const home = (person) => `<!doctype html><meta charset="utf-8"><title>home</title><link rel="icon" href="data:,"><p id="person">${escape(person)}</p>`;
