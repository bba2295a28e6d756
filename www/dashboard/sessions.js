// Sessions of a subject: list, open, end, narrow; refuse the subject, forget it; the accounts that it has connected.

import { button, fault, h, panel, redraw, say } from './elements.js';
import { ask, shownOnce } from './forms.js';
import { Refused, segment } from './gate.js';
import { missing } from './missing.js';
import { table } from './table.js';
import { dayAndTime } from './words.js';

export function sessions({ gate }) {
  let subject = '';
  let listed;
  const body = panel('Sessions');
  const grants = panel('Connected accounts');
  const input = h('input', { id: 'subject', type: 'search', required: true, maxlength: 255, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
  const form = h('form', { class: 'controls', submit: (event) => { event.preventDefault(); load(input.value.trim()); } },
    h('div', { class: 'field inline wide' }, h('label', { for: 'subject' }, 'Subject'), input),
    h('button', { type: 'submit' }, 'Find'), button('Open a session', open, { class: 'main', 'data-keep': 'open' }));
  const root = h('div', {}, form, h('p', { class: 'hint' }, 'The “sub” of the tokens, such as auth0|123: sessions are kept by subject.'), body.section, grants.section);
  body.section.hidden = true;
  grants.section.hidden = true;

  async function load(wanted) {
    if (wanted === '') return;
    subject = wanted;
    body.section.hidden = false;
    body.section.setAttribute('aria-busy', 'true');
    const [own, connected] = await Promise.all(['sessions', 'grants'].map((what) => gate.ask('GET', `/admin/${what}`, { query: { subject } }).catch((error) => error)));
    // Somebody else was asked about since.
    if (wanted !== subject) return;
    body.section.removeAttribute('aria-busy');
    grants.section.hidden = !connected.grants;
    if (connected.grants) showGrants(connected.grants);
    if (own instanceof Refused && own.code === 'NOT_FOUND') redraw(root, missing('sessions'));
    else if (own instanceof Error) redraw(body.body, fault(own));
    else {
      listed = own.sessions;
      show();
    }
  }

  function show() {
    redraw(body.body,
      h('div', { class: 'actions' },
        button('End all sessions', endAll, { 'data-keep': 'end all', disabled: listed.length === 0 }),
        button('Disable the subject', disable, { 'data-keep': 'disable', class: 'danger' }),
        button('Enable the subject', enable, { 'data-keep': 'enable' }),
        button('Forget the subject', forget, { 'data-keep': 'forget', class: 'danger' })),
      table({
        caption: `Sessions of ${subject}`, rows: listed, none: `${subject} has no session.`,
        columns: [
          { title: 'Session', cell: ({ id, label }) => [label ?? '', h('span', { class: `mono ${label ? 'soft block' : ''}` }, id)], head: true },
          { title: 'Device', cell: ({ device: { agent, country, network }, client }) => [client, agent, country, network].filter(Boolean).join(' · ') || 'not known' },
          { title: 'Scopes', cell: ({ scopes }) => scopes.join(' '), is: 'mono' },
          { title: 'Opened', cell: (one) => dayAndTime(one.created_at), is: 'when' },
          { title: 'Last seen', cell: (one) => dayAndTime(one.last_seen_at), is: 'when' },
          { title: 'Ends', cell: (one) => dayAndTime(one.expires_at), is: 'when' },
          { title: '', cell: (one) => [action('Narrow', one, narrow), action('End', one, end, 'danger')], is: 'actions' },
        ],
      }));
  }

  const action = (word, one, act, kind = '') => button(word, () => act(one), { class: `small ${kind}`, 'aria-label': `${word} the session ${one.label ?? one.id}`, 'data-keep': `${word} ${one.id}` });

  async function open() {
    const opened = await ask({
      title: 'Open a session', submit: 'Open',
      text: 'Whoever gets its tokens is this subject to your services. Open one only for somebody whom you know to be it.',
      fields: [
        { name: 'subject', label: 'Subject', required: true, maxlength: 255, value: input.value.trim() },
        { name: 'scopes', label: 'Scopes', kind: 'list', hint: 'What its tokens may do, with spaces between' },
        { name: 'label', label: 'Label', hint: 'Its name for people' },
      ],
      act: (given) => gate.ask('POST', '/admin/sessions', { body: { subject: given.subject, scopes: given.scopes, ...(given.label === undefined ? {} : { label: given.label }) } }).then((answer) => ({ ...answer, of: given.subject })),
    });
    if (!opened) return;
    await shownOnce({
      title: `A session of ${opened.of} is open`, text: 'The tokens are shown this once: the gate keeps none of them.',
      secrets: [['Access token', opened.access_token], ['Refresh token', opened.refresh_token]],
    });
    input.value = opened.of;
    say(`A session of ${opened.of} is open.`);
    await load(opened.of);
  }

  async function narrow(one) {
    const done = await ask({
      title: 'Leave this session fewer scopes', submit: 'Narrow',
      text: 'They count from its next refresh on. What is taken away does not come back.',
      fields: [{ name: 'scopes', label: 'Scopes that are left', kind: 'list', value: one.scopes.join(' ') }],
      act: ({ scopes }) => gate.ask('PATCH', `/admin/sessions/${segment(one.id)}`, { body: { subject, scopes } }).then(() => true),
    });
    if (done) await after('The session is narrowed.');
  }

  const end = (one) => sure({ title: 'End this session?', text: `${subject} has to log in again on that device.`, submit: 'End the session' }, () => gate.ask('DELETE', `/admin/sessions/${segment(one.id)}`, { query: { subject } }), 'The session has ended.');
  const endAll = () => sure({ title: `End all sessions of ${subject}?`, text: 'Everywhere, at once. The subject may log in again.', submit: 'End all' }, () => gate.ask('DELETE', '/admin/sessions', { query: { subject } }), `${subject} is logged out everywhere.`);
  const disable = () => sure({ title: `Disable ${subject}?`, text: 'All its sessions and tokens end, and it gets no more until it is enabled.', submit: 'Disable' }, () => gate.ask('POST', '/admin/subjects/disable', { body: { subject } }), `${subject} is disabled.`);
  const enable = () => sure({ title: `Enable ${subject}?`, text: 'It may log in again.', submit: 'Enable', danger: false }, () => gate.ask('POST', '/admin/subjects/enable', { body: { subject } }), `${subject} is enabled.`);
  const forget = () => sure({ title: `Forget ${subject}?`, text: 'All its sessions and connected accounts end, and what the gate keeps of it is deleted. It cannot be undone.', submit: 'Forget for good' }, () => gate.ask('DELETE', '/admin/subjects', { query: { subject } }), `${subject} is forgotten.`);

  async function sure(question, act, sentence) {
    const done = await ask({ danger: true, ...question, act: async () => (await act()) ?? {} });
    if (done) await after(done.pending ? `${sentence} It is still on its way to where revocations are kept.` : sentence);
  }

  async function after(sentence) {
    say(sentence);
    await load(subject);
  }

  function showGrants(rows) {
    redraw(grants.body, table({
      caption: `Accounts that ${subject} has connected`, rows, none: 'No account is connected.',
      columns: [
        { title: 'Provider', cell: ({ provider }) => provider, head: true },
        { title: 'Account', cell: ({ label, account }) => [label ?? '', h('span', { class: `mono ${label ? 'soft block' : ''}` }, account)] },
        { title: 'Scopes', cell: ({ scopes }) => scopes.join(' '), is: 'mono' },
        { title: 'Connected', cell: (one) => dayAndTime(one.connected_at), is: 'when' },
        { title: 'State', cell: ({ reconnect, refreshable }) => reconnect?.replaceAll('_', ' ') ?? (refreshable ? 'refreshed by the gate' : 'until it expires') },
        { title: '', cell: (one) => action('Disconnect', { id: `${one.provider} ${one.account}` }, () => disconnect(one), 'danger'), is: 'actions' },
      ],
    }));
  }

  const disconnect = ({ provider, account }) => sure({ title: `Disconnect this account of ${subject}?`, text: `${provider}: ${account}. Its tokens are deleted here, and ended at the provider where that can be done.`, submit: 'Disconnect' }, () => gate.ask('DELETE', '/admin/grants', { query: { subject, provider, account } }), 'The account is disconnected.');

  return { root, update() {} };
}
