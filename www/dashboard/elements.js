// Elements of the page. What comes from the gate or from a person becomes text, and is never read as HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with these attributes: a function listens, `true` is an attribute without a value, nothing is none. */
export const h = (name, attributes, ...content) => filled(document.createElement(name), attributes, content);

/** The same in a drawing. */
export const s = (name, attributes, ...content) => filled(document.createElementNS(SVG, name), attributes, content);

function filled(made, attributes = {}, content = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...content.flat(Infinity).filter((one) => one !== undefined && one !== null && one !== false));
  return made;
}

export const button = (text, click, attributes = {}) => h('button', { type: 'button', click, ...attributes }, text);

/** Puts new content in a place. An element that had the focus gives it to the one with its name (`data-keep`). */
export function redraw(place, ...content) {
  const keep = place.contains(document.activeElement) ? document.activeElement.dataset.keep : undefined;
  place.replaceChildren(...content.flat(Infinity).filter(Boolean));
  if (keep) [...place.querySelectorAll('[data-keep]')].find((one) => one.dataset.keep === keep)?.focus({ preventScroll: true });
}

const shown = new WeakMap();

/** The same, only if it shows something else than before: a person may be reading it. */
export function redrawOf(place, data, make) {
  const now = JSON.stringify(data);
  if (shown.get(place) === now) return;
  shown.set(place, now);
  redraw(place, make());
}

/** A part of a view, with its heading. */
export function panel(title, ...content) {
  const heading = h('h2', {}, title);
  const head = h('div', { class: 'titled' }, heading);
  const body = h('div', { class: 'body' }, content);
  const section = h('section', { class: 'panel' }, head, body);
  return { section, head, body };
}

const COPIED_MILLIS = 1500;

export function copyButton(what, text) {
  const made = button('Copy', async () => {
    try {
      await navigator.clipboard.writeText(text);
      made.textContent = 'Copied';
    } catch {
      made.textContent = 'Not allowed';
    }
    setTimeout(() => { made.textContent = 'Copy'; }, COPIED_MILLIS);
  }, { class: 'small', 'aria-label': `Copy ${what}` });
  return made;
}

/** Where it is said what was done. */
const said = h('p', { class: 'said', role: 'status' });
export const announcements = said;

const SAID_MILLIS = 8000;
let silence;

export function say(text) {
  clearTimeout(silence);
  said.textContent = text;
  silence = setTimeout(() => { said.textContent = ''; }, SAID_MILLIS);
}

/** What went wrong, and what to do about it. */
export function fault(error) {
  return h('p', { class: 'fault', role: 'alert' }, h('strong', {}, `${(error.title ?? 'Something went wrong').replace(/\.$/, '')}.`), ' ', error.hint ?? String(error.message ?? error), error.code && h('span', { class: 'code' }, error.code));
}
