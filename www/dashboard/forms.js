// Questions: dialogs with fields. Each is closed by keyboard, gives the focus back, and says what the gate refused where it was asked.

import { copyButton, fault, h } from './elements.js';
import { list, seconds } from './words.js';

let last = 0;

/** What a field of this kind gives: `undefined` where nothing was written. */
const READ = {
  text: (text) => text.trim() || undefined,
  list,
  duration: (text) => seconds(text),
};

/** A field with its label. `kind`: `text`, `list` or `duration`; `options` makes it a choice, `lines` a box. */
export function field({ name, label, hint, kind = 'text', value = '', required = false, options, lines, ...more }) {
  last += 1;
  const id = `field-${last}`;
  const attributes = { id, name, required, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': hint && `${id}-hint`, ...more };
  const input = options
    ? h('select', attributes, options.map(([word, text]) => h('option', { value: word, selected: word === value }, text)))
    : h(lines ? 'textarea' : 'input', { ...attributes, rows: lines, type: lines ? undefined : (more.type ?? 'text') });
  if (!options) input.value = value;
  const place = h('div', { class: 'field' }, h('label', { for: id }, label, !required && !options && kind !== 'list' && h('span', { class: 'optional' }, ' (optional)')), input, hint && h('p', { class: 'hint', id: `${id}-hint` }, hint));
  input.addEventListener('input', () => input.setCustomValidity(''));
  const read = () => {
    const given = READ[kind](input.value);
    if (Number.isNaN(given)) {
      input.setCustomValidity('A time like 90d, 12h, 30m or 45s');
      input.reportValidity();
    }
    return given;
  };
  return { name, place, input, read };
}

/**
 * Asks in a dialog. `act` gets what was written and does it; what it throws is said in the dialog, which stays open. Gives what `act` gave,
 * or `undefined` where nothing was to be done. `cancels`: whether there is a button for that beside Escape.
 */
export function ask({ title, text, fields = [], submit, danger = false, cancels = true, act }) {
  return new Promise((resolve) => {
    let done;
    const made = fields.map((one) => (one.place ? one : field(one)));
    const faults = h('div', {});
    let busy = false;
    const go = h('button', { type: 'submit', class: danger ? 'danger' : 'main' }, submit);
    const cancel = h('button', { type: 'button', click: () => dialog.close() }, 'Cancel');
    const form = h('form', {
      submit: async (event) => {
        event.preventDefault();
        const values = Object.fromEntries(made.filter(({ place }) => !place.hidden).map(({ name, read }) => [name, read()]));
        if (Object.values(values).some(Number.isNaN)) return;
        busy = true;
        go.disabled = true;
        faults.replaceChildren();
        try {
          done = await act(values);
          busy = false;
          dialog.close();
        } catch (error) {
          faults.replaceChildren(fault(error));
          faults.scrollIntoView({ block: 'nearest' });
        } finally {
          busy = false;
          go.disabled = false;
        }
      },
    }, text && h('p', {}, text), made.map(({ place }) => place), faults, h('div', { class: 'actions' }, go, cancels && cancel));
    // What is under way cannot be called back: its answer may be told once.
    const dialog = open(title, form, () => resolve(done), () => !busy);
    // A choice that is dangerous is not the one that Enter takes.
    if (made.length === 0 && danger) cancel.focus();
  });
}

/** A dialog that is there until it is closed, and `mayClose` says that it may be. Some browsers close one whatever a script says. */
function open(title, content, closed, mayClose) {
  last += 1;
  const heading = h('h2', { id: `dialog-${last}` }, title);
  const before = document.activeElement;
  const keep = before?.dataset?.keep;
  const dialog = h('dialog', {
    'aria-labelledby': heading.id,
    cancel: (event) => { if (!mayClose()) event.preventDefault(); },
    close: () => {
      if (!mayClose() && dialog.isConnected) return dialog.showModal();
      dialog.remove();
      const again = before?.isConnected ? before : [...document.querySelectorAll('[data-keep]')].find((one) => one.dataset.keep === keep);
      again?.focus();
      return closed();
    },
  }, heading, content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Shows what is told once. It does not close by accident: what is lost here is nowhere. */
export function shownOnce({ title, text, secrets }) {
  return new Promise((resolve) => {
    const rows = secrets.map(([name, value]) => h('div', { class: 'secret' }, h('h3', {}, name), h('code', { class: 'value', tabindex: '0' }, value), copyButton(name, value)));
    let isStored = false;
    const close = h('button', {
      type: 'button', class: 'main', click: () => {
        isStored = true;
        dialog.close();
      },
    }, 'I have stored it');
    const dialog = open(title, h('div', {}, h('p', {}, text), rows, h('div', { class: 'actions' }, close)), resolve, () => isStored);
    close.focus();
  });
}

/** Closes what is open. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) dialog.remove();
}
