// Tables. On a phone each row is a card (style.css), so roles say what is a table: `display` would take that away.

import { h } from './elements.js';

/**
 * `columns`: a title, and what of a row goes into the cell; `is` is the class of the cell, `head` makes it the name of its row.
 * `caption` is read out, and not seen where a heading says the same.
 */
export function table({ caption, columns, rows, none = 'Nothing yet.' }) {
  if (rows.length === 0) return h('p', { class: 'none' }, none);
  const heads = columns.map(({ title, is }) => h('th', { scope: 'col', role: 'columnheader', class: is }, title === '' ? h('span', { class: 'unseen' }, 'Actions') : title));
  const lines = rows.map((row) => h('tr', { role: 'row' }, columns.map(({ title, cell, is, head }) => {
    const content = cell(row);
    const place = { 'data-title': title, class: [is, isEmpty(content) ? 'empty' : ''].filter(Boolean).join(' ') || undefined };
    return head ? h('th', { scope: 'row', role: 'rowheader', ...place }, content) : h('td', { role: 'cell', ...place }, content);
  })));
  return h('table', { role: 'table' },
    h('caption', { class: 'unseen' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, heads)),
    h('tbody', { role: 'rowgroup' }, lines));
}

const isEmpty = (content) => content === undefined || content === '' || (Array.isArray(content) && content.every(isEmpty));

/** A number with a bar beside it, which is for the eye alone. */
export function barred(part, all, text, kind = '') {
  const bar = h('span', { class: `bar ${kind}`, 'aria-hidden': 'true' });
  bar.style.setProperty('--part', String(all === 0 ? 0 : part / all));
  return h('span', { class: 'with-bar' }, bar, h('span', {}, text));
}
