// API keys: find, mint, rotate, change, refuse for a while, revoke.

import { button, fault, h, panel, redraw, say } from './elements.js';
import { ask, field, shownOnce } from './forms.js';
import { segment } from './gate.js';
import { missing } from './missing.js';
import { state } from './overview.js';
import { table } from './table.js';
import { dayAndTime } from './words.js';

const ID = /^[0-9a-f]{32}$/;
/** A key itself does not belong into an address, which logs have. */
const LIKE_A_KEY = /^[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9_-]{40,}$/;
const PAGE = 50;

export function keys({ gate }) {
  let known = [];
  let cursor = null;
  let asked = '';
  /** Whose keys are listed. */
  let owner = '';
  let turn = 0;
  const body = panel('API keys');
  const search = h('input', { id: 'find', type: 'search', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'find-hint' });
  const find = h('form', { class: 'controls', submit: (event) => { event.preventDefault(); load(); } },
    h('div', { class: 'field inline wide' }, h('label', { for: 'find' }, 'Owner or id'), search),
    h('button', { type: 'submit' }, 'Find'), button('All', () => { search.value = ''; load(); }), button('New key', mint, { class: 'main', 'data-keep': 'new key' }));
  const root = h('div', {}, find, h('p', { class: 'hint unseen', id: 'find-hint' }, 'The whole owner, or the 32 digits of an id'), body.section);

  async function load() {
    asked = search.value.trim();
    turn += 1;
    const mine = turn;
    body.section.setAttribute('aria-busy', 'true');
    try {
      if (LIKE_A_KEY.test(asked)) throw Object.assign(new Error('key'), { title: 'That looks like a key itself.', hint: 'Look for its owner or its id: an address is no place for a key.' });
      const found = ID.test(asked)
        ? { keys: [await gate.ask('GET', `/admin/keys/${segment(asked)}`)], cursor: null }
        : await gate.ask('GET', '/admin/keys', { query: { owner: asked, limit: PAGE } });
      // Something else was asked since.
      if (mine !== turn) return;
      ({ keys: known, cursor } = found);
      owner = asked;
      show();
    } catch (error) {
      if (mine !== turn) return;
      if (error.code === 'NOT_FOUND' && ID.test(asked)) redraw(body.body, h('p', { class: 'none' }, 'No key has this id.'));
      else if (error.code === 'NOT_FOUND') redraw(root, missing('keys'));
      else redraw(body.body, fault(error));
    } finally {
      body.section.removeAttribute('aria-busy');
    }
  }

  async function more() {
    if (body.section.hasAttribute('aria-busy')) return;
    const mine = turn;
    try {
      const page = await gate.ask('GET', '/admin/keys', { query: { owner, limit: PAGE, cursor } });
      // Another list was asked for since.
      if (mine !== turn) return;
      known = [...known, ...page.keys];
      cursor = page.cursor;
      show();
    } catch (error) {
      body.body.append(fault(error));
    }
  }

  /** What the gate has said of a key takes the place of what was known. */
  function put(key) {
    const at = known.findIndex(({ id }) => id === key.id);
    const { key: _, ...record } = key;
    if (at < 0) known.unshift(record);
    else known[at] = record;
    show();
  }

  function show() {
    redraw(body.body, table({
      caption: 'API keys', rows: known, none: asked ? 'No key of this owner.' : 'No key yet.',
      columns: [
        { title: 'Name', cell: ({ name, id }) => [name, h('span', { class: 'soft block mono' }, id)], head: true },
        { title: 'Owner', cell: ({ owner }) => owner },
        { title: 'Scopes', cell: ({ scopes }) => scopes.join(' '), is: 'mono' },
        { title: 'Created', cell: (key) => dayAndTime(key.created_at), is: 'when' },
        { title: 'Expires', cell: (key) => (key.expires_at ? dayAndTime(key.expires_at) : 'never'), is: 'when' },
        { title: 'State', cell: stateOf },
        { title: '', cell: actions, is: 'actions' },
      ],
    }), cursor && h('div', { class: 'actions' }, button('More', more, { 'data-keep': 'more' })));
  }

  function actions(key) {
    const of = (word, act, kind = '') => button(word, () => act(key), { class: `small ${kind}`, 'aria-label': `${word} ${key.name}`, 'data-keep': `${word} ${key.id}` });
    const isOver = key.revoked_at !== undefined;
    return [of('Show', details), !isOver && of('Change', change), !isOver && key.prefix !== undefined && of('Rotate', rotate), !isOver && of(key.disabled ? 'Enable' : 'Disable', able), !isOver && of('Revoke', revoke, 'danger')];
  }

  async function mint() {
    const made = await ask({
      title: 'New key', submit: 'Mint the key',
      fields: [
        { name: 'name', label: 'Name', required: true, maxlength: 200, hint: 'What people call it' },
        { name: 'owner', label: 'Owner', required: true, maxlength: 200, value: ID.test(asked) ? '' : asked, hint: 'Whom it belongs to' },
        ...common(),
        { name: 'prefix', label: 'Prefix', hint: 'The first one of the policy, if this is empty' },
      ],
      act: (values) => gate.ask('POST', '/admin/keys', { body: bodyOf(values) }),
    });
    if (made) await told(made, `Key “${made.name}” is minted.`);
  }

  async function rotate(key) {
    const made = await ask({
      title: `Rotate “${key.name}”`, submit: 'Rotate',
      text: 'A new key takes its place, with the same rights. The old one goes on for a while, so that its owner can change over.',
      fields: [{ name: 'overlap', label: 'The old key goes on for', kind: 'duration', value: '24h', hint: 'Such as 12h or 7d, at most 30d; 0s ends it at once' }],
      act: ({ overlap }) => gate.ask('POST', `/admin/keys/${segment(key.id)}/rotate`, { body: overlap === undefined ? {} : { overlap_secs: overlap } }),
    });
    if (!made) return;
    put(made);
    await gate.ask('GET', `/admin/keys/${segment(key.id)}`).then(put, () => {});
    await told(made, `“${key.name}” is rotated.`);
  }

  async function told(made, sentence) {
    put(made);
    await shownOnce({ title: sentence, text: 'The gate does not keep the key. Nobody can show it again: give it to its owner now.', secrets: [['The key', made.key]] });
    say(sentence);
  }

  async function change(key) {
    const changed = await ask({
      title: `Change “${key.name}”`, submit: 'Change',
      fields: [
        { name: 'name', label: 'Name', required: true, maxlength: 200, value: key.name },
        { name: 'owner', label: 'Owner', required: true, maxlength: 200, value: key.owner },
        ...common(key),
      ],
      act: (values) => gate.ask('PATCH', `/admin/keys/${segment(key.id)}`, { body: changesOf(key, values) }),
    });
    if (!changed) return;
    put(changed);
    say(`“${changed.name}” is changed.`);
  }

  async function able(key) {
    try {
      put(await gate.ask('PATCH', `/admin/keys/${segment(key.id)}`, { body: { disabled: !key.disabled } }));
      say(key.disabled ? `“${key.name}” is accepted again.` : `“${key.name}” is refused until it is enabled.`);
    } catch (error) {
      redraw(body.body, fault(error), button('Back', show));
    }
  }

  async function revoke(key) {
    const gone = await ask({
      title: `Revoke “${key.name}”?`, danger: true, submit: 'Revoke for good',
      text: `Requests with this key of ${key.owner} are refused from now on. It cannot be undone.`,
      act: () => gate.ask('DELETE', `/admin/keys/${segment(key.id)}`),
    });
    if (!gone) return;
    put(gone);
    say(`“${key.name}” is revoked.`);
  }

  /** Asked for again: only one record alone says when it was last used. */
  async function details(key) {
    let now = key;
    try {
      now = await gate.ask('GET', `/admin/keys/${segment(key.id)}`);
      put(now);
    } catch (error) {
      return redraw(body.body, fault(error), button('Back', show));
    }
    const time = (secs) => secs && dayAndTime(secs);
    const rows = [
      ['Id', now.id], ['Owner', now.owner], ['Prefix', now.prefix ?? 'of another system'], ['Scopes', now.scopes.join(' ') || 'none'], ['Networks', now.ips?.join(' ') ?? 'from everywhere'],
      ['Limits', now.limits ? JSON.stringify(now.limits) : "the policy's"], ['Created', time(now.created_at)], ['Expires', time(now.expires_at) ?? 'never'], ['Last used', time(now.last_used_at) ?? 'not known'],
      ['Replaces', now.replaces], ['Replaced by', now.replaced_by], ['Revoked', time(now.revoked_at)],
    ].filter(([, value]) => value !== undefined);
    return ask({
      title: now.name, submit: 'Done', cancels: false,
      fields: [{ name: 'facts', place: h('dl', { class: 'facts' }, rows.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])), read: () => undefined }],
      act: async () => undefined,
    });
  }

  load();
  return { root, update() {} };
}

const common = (key) => [
  { name: 'scopes', label: 'Scopes', kind: 'list', value: key?.scopes.join(' ') ?? '', hint: 'What it may do, with spaces between' },
  { name: 'expires', label: key ? 'Expires, from now on in' : 'Expires in', kind: 'duration', hint: key ? 'Such as 90d; as it is, if this is empty' : 'Such as 90d; never, if this is empty' },
  { name: 'ips', label: 'Only from these networks', kind: 'list', value: key?.ips?.join(' ') ?? '', hint: 'Such as 203.0.113.0/24; from everywhere, if this is empty' },
];

function bodyOf({ name, owner, scopes, expires, ips, prefix }) {
  return { name, owner, scopes, ...(expires === undefined ? {} : { expires_in_secs: expires }), ...(ips.length > 0 ? { ips } : {}), ...(prefix === undefined ? {} : { prefix }) };
}

/** Only what is another one now. */
function changesOf(key, { name, owner, scopes, expires, ips }) {
  const body = {};
  if (name !== key.name) body.name = name;
  if (owner !== key.owner) body.owner = owner;
  if (scopes.join(' ') !== key.scopes.join(' ')) body.scopes = scopes;
  if (expires !== undefined) body.expires_in_secs = expires;
  if (ips.join(' ') !== (key.ips ?? []).join(' ')) body.ips = ips.length > 0 ? ips : null;
  if (Object.keys(body).length === 0) throw Object.assign(new Error('nothing'), { title: 'Nothing is changed.', hint: 'Change a field first, or cancel.' });
  return body;
}

function stateOf(key) {
  if (key.revoked_at !== undefined) return state('bad', 'revoked');
  if (key.expires_at !== undefined && key.expires_at * 1000 <= Date.now()) return state('bad', 'expired');
  if (key.disabled) return state('unsure', 'disabled');
  if (key.replaced_by !== undefined) return state('unsure', 'replaced');
  return state('good', 'active');
}
