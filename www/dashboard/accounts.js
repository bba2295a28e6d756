// Accounts: make one, find one by its address, and what an administrator may do with it. The gate keeps no addresses, so it lists none.

import { button, fault, h, panel, redraw, say } from './elements.js';
import { ask } from './forms.js';
import { Refused, segment } from './gate.js';
import { missing } from './missing.js';
import { table } from './table.js';
import { dayAndTime } from './words.js';

export function accounts({ gate }) {
  let email = '';
  const body = panel('Account');
  const input = h('input', { id: 'email', type: 'search', required: true, maxlength: 254, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
  const form = h('form', { class: 'controls', submit: (event) => { event.preventDefault(); load(input.value.trim()); } },
    h('div', { class: 'field inline wide' }, h('label', { for: 'email' }, 'Email'), input),
    h('button', { type: 'submit' }, 'Find'), button('Invite', invite, { 'data-keep': 'invite' }),
    button('New account', create, { class: 'main', 'data-keep': 'new account' }));
  const root = h('div', {}, form, h('p', { class: 'hint' }, 'The whole address: the gate keeps a keyed hash of it, and cannot list those that it has.'), body.section);
  body.section.hidden = true;

  async function load(wanted) {
    if (wanted === '') return;
    email = wanted;
    body.section.hidden = false;
    body.section.setAttribute('aria-busy', 'true');
    const found = await gate.ask('POST', '/admin/accounts/find', { body: { email } }).catch((error) => error);
    // Somebody else was asked about since.
    if (wanted !== email) return;
    body.section.removeAttribute('aria-busy');
    if (found instanceof Refused && found.code === 'NOT_FOUND') return absent();
    if (found instanceof Error) return redraw(body.body, fault(found));
    show(found);
  }

  /** Nobody has this address, or the policy has no accounts: the gate says the same, and what it answers to another question tells them apart. */
  async function absent() {
    const probe = await gate.ask('POST', '/admin/accounts/find', { body: { email: '' } }).catch((error) => error);
    if (probe instanceof Refused && probe.code === 'NOT_FOUND') redraw(root, missing('accounts'));
    else redraw(body.body, h('p', { class: 'none' }, `Nobody has the address ${email}.`));
  }

  function show(one) {
    redraw(body.body, table({
      caption: `Account of ${email}`, rows: [one],
      columns: [
        { title: 'Account', cell: ({ subject }) => [email, h('span', { class: 'soft block mono' }, subject)], head: true },
        { title: 'Scopes', cell: ({ scopes }) => scopes.join(' '), is: 'mono' },
        { title: 'Made', cell: ({ created_at: at }) => dayAndTime(at), is: 'when' },
        { title: 'State', cell: stateOf },
        { title: '', cell: actions, is: 'actions' },
      ],
    }));
  }

  const of = (word, act, kind = '') => button(word, act, { class: `small ${kind}`, 'aria-label': `${word}: ${email}`, 'data-keep': word });

  const actions = (one) => [
    of('Set password', () => setPassword(one)), of('Scopes', () => setScopes(one)),
    one.reset_required || one.disabled ? '' : of('Require reset', () => requireReset(one)),
    hasFactors(one) ? of('Drop factors', () => dropFactors(one), 'danger') : '',
    one.disabled ? of('Enable', () => able(one, false)) : of('Disable', () => able(one, true), 'danger'), of('Delete', () => remove(one), 'danger'),
  ];

  async function create() {
    const made = await ask({
      title: 'New account', submit: 'Make the account',
      text: 'The password goes to whoever it is for, by a way that you trust. Its owner changes it after the first login.',
      fields: [
        { name: 'email', label: 'Email', type: 'email', required: true, maxlength: 254, value: email },
        { name: 'password', label: 'Password', required: true, maxlength: 1024, hint: '8 characters or more' },
        { name: 'scopes', label: 'Scopes', kind: 'list', hint: 'Beside those of all accounts, with spaces between' },
      ],
      act: async (given) => ({ ...await gate.ask('POST', '/admin/accounts', { body: given }), email: given.email }),
    });
    if (!made) return;
    input.value = made.email;
    say(`${made.email} has an account.`);
    await load(made.email);
  }

  async function invite() {
    const made = await ask({
      title: 'Invite somebody', submit: 'Send the link', text: 'A mail has a link to a password of their own. The account waits for it.',
      fields: [
        { name: 'email', label: 'Email', type: 'email', required: true, maxlength: 254, value: email },
        { name: 'scopes', label: 'Scopes', kind: 'list', hint: 'Beside those of all accounts, with spaces between' },
      ],
      act: async (given) => ({ ...await gate.ask('POST', '/admin/accounts/invite', { body: given }), email: given.email }),
    });
    if (!made) return;
    input.value = made.email;
    say(`${made.email} is invited.`);
    await load(made.email);
  }

  const setPassword = (one) => changed(one, {
    title: `A new password for ${email}`, submit: 'Set the password', text: 'All sessions of the account end.',
    fields: [{ name: 'password', label: 'Password', required: true, maxlength: 1024, hint: '8 characters or more' }],
  }, ({ password }) => ({ password }), 'has a new password');
  const setScopes = (one) => changed(one, {
    title: `Scopes of ${email}`, submit: 'Set the scopes', text: 'All sessions of the account end.',
    fields: [{ name: 'scopes', label: 'Scopes', kind: 'list', value: one.scopes.join(' '), hint: 'Beside those of all accounts, with spaces between' }],
  }, ({ scopes }) => ({ scopes }), 'has other scopes');
  const able = (one, disabled) => changed(one, disabled
    ? { title: `Disable the account of ${email}?`, submit: 'Disable', text: 'Nobody logs in to it, and all its sessions end.', danger: true }
    : { title: `Enable the account of ${email}?`, submit: 'Enable', text: 'Its owner may log in again.' },
  () => ({ disabled }), disabled ? 'is disabled' : 'is enabled');

  const requireReset = (one) => changed(one, {
    title: `Ask ${email} for a new password?`, submit: 'Require a reset',
    text: 'Nobody logs in until its owner has set a new password by a link, and all its sessions end.',
  }, () => ({ require_reset: true }), 'has to set a new password');
  const dropFactors = (one) => changed(one, {
    title: `Drop the second factors of ${email}?`, submit: 'Drop them', danger: true,
    text: 'Its authenticator, recovery codes and passkeys are taken out: the password alone is enough then. All its sessions end.',
  }, () => ({ drop_factors: true }), 'has no second factor any more');

  async function changed(one, question, bodyOf, sentence) {
    const done = await ask({ ...question, act: (given) => gate.ask('PATCH', `/admin/accounts/${segment(one.id)}`, { body: bodyOf(given) }) });
    if (done) await after(`${email} ${sentence}`, done);
  }

  async function remove(one) {
    const done = await ask({
      title: `Delete the account of ${email}?`, submit: 'Delete for good', danger: true, text: 'All its sessions end. It cannot be undone.',
      act: async () => (await gate.ask('DELETE', `/admin/accounts/${segment(one.id)}`)) ?? {},
    });
    if (done) await after(`The account of ${email} is deleted`, done);
  }

  async function after(sentence, { pending }) {
    say(pending ? `${sentence}. The end of its sessions is still on its way to where revocations are kept.` : `${sentence}.`);
    await load(email);
  }

  return { root, update() {} };
}

const hasFactors = ({ factors }) => factors.totp || factors.passkeys > 0 || factors.recovery_codes_left > 0;

const standingOf = ({ disabled, reset_required: mustReset, invited }) => {
  if (disabled) return 'disabled';
  if (mustReset) return 'waits for a new password';
  return invited ? 'invited' : 'good';
};

const stateOf = ({ is_verified: isVerified, imported, ...one }) => [
  standingOf(one), isVerified ? '' : 'address not confirmed', imported ? 'password as imported' : '',
].filter(Boolean).join(', ');
