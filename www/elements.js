// Elements of the page. Nothing that was pasted is ever read as HTML: all text becomes text.

export const $ = (id) => document.getElementById(id);

export function element(name, content = '', className = '') {
  const made = document.createElement(name);
  if (typeof content === 'string') made.textContent = content;
  else made.append(...content);
  if (className) made.className = className;
  return made;
}

/** A verdict: its kind is `good`, `bad` or none. */
export function say(place, kind, title, detail = '') {
  place.className = `verdict ${kind}`;
  place.replaceChildren(...(title ? [element('strong', title)] : []), detail);
}

const SHOWN_MILLIS = 1500;

/** A button that copies what `text` gives. */
export function copyButton(what, text) {
  const button = element('button', 'Copy', 'copy');
  button.type = 'button';
  button.setAttribute('aria-label', `Copy ${what}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not allowed';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, SHOWN_MILLIS);
  });
  return button;
}

/** Lets a box of text be as tall as its text, also where the browser has no `field-sizing`. */
export function grow(box) {
  if (CSS.supports('field-sizing', 'content')) return;
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}

/** On a phone the answer is below the form. */
export function bringIntoView(place) {
  const { top, bottom } = place.getBoundingClientRect();
  if (top < 0 || bottom > window.innerHeight) {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    place.scrollIntoView({ block: 'start', behavior: calm ? 'auto' : 'smooth' });
  }
}
