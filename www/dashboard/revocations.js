// What is refused although it has not expired: the list, something more on it, something off it.

import { button, fault, h, panel, redraw, say } from './elements.js';
import { ask, field } from './forms.js';
import { segment } from './gate.js';
import { missing } from './missing.js';
import { table } from './table.js';
import { dayAndTime } from './words.js';

const PAGE = 50;

/** What can be revoked: its words, and whether an issuer is named with it. */
const KINDS = {
  key_id: ['An API key, by its id', 'Id of the key', false],
  token: ['A token', 'The token', false],
  jti: ['A token, by its id', 'jti', true],
  sid: ['A session', 'sid', true],
  sub: ['All tokens of a subject', 'sub', true],
  kid: ['All tokens of a signing key', 'kid', true],
  all: ['All tokens of an issuer', undefined, true],
};

export function revocations({ gate }) {
  let known = [];
  let cursor = null;
  const body = panel('Revocations');
  const root = h('div', {}, h('div', { class: 'controls' }, button('Revoke', revoke, { class: 'main', 'data-keep': 'revoke' }), button('Read again', () => load())), body.section);

  async function load(next) {
    body.section.setAttribute('aria-busy', 'true');
    try {
      const page = await gate.ask('GET', '/admin/revocations', { query: { limit: PAGE, cursor: next } });
      known = next === undefined ? page.revocations : [...known, ...page.revocations];
      cursor = page.cursor;
      show();
    } catch (error) {
      if (error.code === 'NOT_FOUND') redraw(root, missing('revocations'));
      else redraw(body.body, fault(error));
    } finally {
      body.section.removeAttribute('aria-busy');
    }
  }

  function show() {
    redraw(body.body, table({
      caption: 'Revocations', rows: known, none: 'Nothing is revoked.',
      columns: [
        { title: 'What', cell: ({ target: { kind } }) => kind.replaceAll('_', ' '), head: true },
        { title: 'Which', cell: which, is: 'mono' },
        { title: 'Reason', cell: ({ reason }) => reason ?? '' },
        { title: 'Since', cell: (one) => dayAndTime(one.created_at), is: 'when' },
        { title: 'Until', cell: ({ until }) => (until ? dayAndTime(until) : 'for good'), is: 'when' },
        { title: '', cell: (one) => button('Undo', () => undo(one), { class: 'small', 'aria-label': `Undo the revocation of ${which(one)}`, 'data-keep': `undo ${one.id}` }), is: 'actions' },
      ],
    }), cursor && h('div', { class: 'actions' }, button('More', () => load(cursor), { 'data-keep': 'more' })));
  }

  async function revoke() {
    const kind = field({ name: 'kind', label: 'What', options: Object.entries(KINDS).map(([word, [text]]) => [word, text]), value: 'key_id' });
    const issuer = field({ name: 'iss', label: 'Issuer', required: true, hint: 'As the policy has it, such as https://example.eu.auth0.com/' });
    const value = field({ name: 'value', label: 'Id', required: true });
    const label = value.place.querySelector('label');
    const fit = () => {
      const [, name, hasIssuer] = KINDS[kind.input.value];
      for (const [{ place, input }, there] of [[issuer, hasIssuer], [value, name !== undefined]]) [place.hidden, input.required] = [!there, there];
      label.textContent = name ?? '';
    };
    kind.input.addEventListener('change', fit);
    fit();
    const done = await ask({
      title: 'Revoke', submit: 'Revoke', danger: true,
      fields: [
        kind, issuer, value,
        { name: 'reason', label: 'Reason', maxlength: 200, hint: 'For those who read the list' },
        { name: 'expires', label: 'Keep it for', kind: 'duration', hint: 'Such as 30d; until the tokens have expired, if this is empty' },
      ],
      act: ({ kind: word, iss, value: id, reason, expires }) => gate.ask('POST', '/admin/revocations', {
        body: { ...(KINDS[word][2] ? { iss } : {}), [word]: word === 'all' ? true : id, ...(reason === undefined ? {} : { reason }), ...(expires === undefined ? {} : { expires_in_secs: expires }) },
      }),
    });
    if (!done) return;
    say(`Revoked: ${which(done)}.`);
    await load();
  }

  async function undo(one) {
    const done = await ask({
      title: 'Undo this revocation?', submit: 'Undo', danger: true,
      text: `What it refuses is admitted again: ${one.target.kind.replaceAll('_', ' ')} ${which(one)}.`,
      act: async () => {
        await gate.ask('DELETE', `/admin/revocations/${segment(one.id)}`);
        return true;
      },
    });
    if (!done) return;
    known = known.filter(({ id }) => id !== one.id);
    show();
    say(`Undone: ${which(one)}.`);
  }

  load();
  return { root, update() {} };
}

/** What names it, then whose it is. */
const which = ({ target: { kind: _, iss, ...names }, before }) => [...Object.values(names), before && `issued before ${dayAndTime(before)}`, iss].filter(Boolean).join(' · ');
