// What administration did, newest last as the chain has it. Whether the chain holds, `edgegate audit verify` says: a page that comes from
// the gate proves nothing about the gate.

import { button, fault, h, panel, redraw } from './elements.js';
import { missing } from './missing.js';
import { table } from './table.js';
import { dayAndTime } from './words.js';

const PAGE = 100;

export function audit({ gate }) {
  let known = [];
  let more = false;
  const body = panel('Audit');
  const root = h('div', {}, h('div', { class: 'controls' }, button('Read again', () => load())), h('p', { class: 'hint' }, 'npx edgegate audit export and verify show whether it was changed.'), body.section);

  async function load(after) {
    if (body.section.hasAttribute('aria-busy')) return;
    body.section.setAttribute('aria-busy', 'true');
    try {
      const page = await gate.ask('GET', '/admin/audit', { query: { after, limit: PAGE } });
      known = after === undefined ? page.entries : [...known, ...page.entries];
      ({ more } = page);
      show();
    } catch (error) {
      if (error.code === 'NOT_FOUND') redraw(root, missing('audit'));
      else redraw(body.body, fault(error));
    } finally {
      body.section.removeAttribute('aria-busy');
    }
  }

  function show() {
    redraw(body.body, table({
      caption: 'Audit', rows: known, none: 'Nothing was done yet.',
      columns: [
        { title: 'Number', cell: ({ seq }) => seq, head: true },
        { title: 'When', cell: ({ at }) => dayAndTime(Math.floor(at / 1000)), is: 'when' },
        { title: 'Who', cell: ({ actor }) => actor },
        { title: 'What', cell: ({ action }) => action },
        { title: 'Of', cell: ({ target }) => target, is: 'mono' },
        { title: 'Outcome', cell: ({ outcome, of }) => (of === 0 ? outcome : `${outcome} of ${of}`) },
      ],
    }), more && h('div', { class: 'actions' }, button('More', () => load(known.at(-1).seq), { 'data-keep': 'more' })));
  }

  load();
  return { root, update() {} };
}
