// Where each subject is, and what a person sees behind it.

export const APP = 'app.example.com';
export const ORIGIN = `https://${APP}`;

const escape = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** The page that everybody wants to see. */
export const home = (person) => `<!doctype html><meta charset="utf-8"><title>home</title><link rel="icon" href="data:,"><p id="person">${escape(person)}</p>`;
