// The page: the secret is asked for, kept in memory, and forgotten; behind it the views.

import { accounts } from './accounts.js';
import { audit } from './audit.js';
import { announcements, button, fault, h, redraw, s, say } from './elements.js';
import { events } from './events.js';
import { explaining } from './explain.js';
import { closeDialogs } from './forms.js';
import { Refused, connect, isSecret } from './gate.js';
import { keys } from './keys.js';
import { follow } from './live.js';
import { overview } from './overview.js';
import { revocations } from './revocations.js';
import { sessions } from './sessions.js';
import { verdictOf } from './verdict.js';

const VIEWS = {
  overview: ['Overview', overview], events: ['Events', events], keys: ['API keys', keys],
  sessions: ['Sessions', sessions], accounts: ['Accounts', accounts], revocations: ['Revocations', revocations], audit: ['Audit', audit],
  explain: ['Explain', explaining],
};

/** Somebody who walks away does not leave the gate open. */
const IDLE_MILLIS = 30 * 60 * 1000;
/** How often it is looked whether somebody is there: a timer of half an hour would stand still while a laptop sleeps. */
const LOOK_MILLIS = 10_000;

const root = h('div', { id: 'root' });
document.body.append(root, announcements);
let leave = () => {};

function signIn(problem) {
  leave();
  closeDialogs();
  say('');
  document.title = 'edgegate';
  const secret = h('input', { id: 'secret', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'secret-hint' });
  const stays = h('input', { id: 'stays', type: 'checkbox' });
  const faults = h('div', {}, problem && fault(problem));
  const go = h('button', { type: 'submit', class: 'main' }, 'Open');
  const form = h('form', {
    submit: async (event) => {
      event.preventDefault();
      const given = secret.value.trim();
      faults.replaceChildren();
      if (!isSecret(given)) return faults.append(fault({ title: 'That is no secret of a gate.', hint: 'It has letters, digits and signs of ASCII, without spaces.' }));
      go.disabled = true;
      const gate = connect(given);
      try {
        await proven(gate);
        secret.value = '';
        return open(gate, stays.checked);
      } catch (error) {
        gate.forget();
        return faults.replaceChildren(fault(refusalOf(error)));
      } finally {
        go.disabled = false;
      }
    },
  },
  h('div', { class: 'field' }, h('label', { for: 'secret' }, "The administrator's secret"), secret, h('p', { class: 'hint', id: 'secret-hint' }, 'It stays in the memory of this page, and goes to this gate alone.')),
  h('label', { class: 'check' }, stays, 'Stay open without anybody here, as on a screen on the wall'), faults, go);
  redraw(root, h('main', { class: 'sign-in' }, gateSign(), h('h1', {}, 'edgegate'), h('p', { class: 'soft' }, `Dashboard of ${location.host}`), form));
  secret.focus();
}

/** The sign of www/icon.svg. */
const gateSign = () => s('svg', { class: 'sign-of-gate', viewBox: '0 0 32 32', 'aria-hidden': 'true' },
  s('rect', { width: 32, height: 32, rx: 7 }), s('path', { d: 'M8 25V13a8 8 0 0 1 16 0v12M16 15v10' }));

/** Whether the gate takes the secret. What the policy does not have, or this secret may not read, is no reason to refuse it. */
async function proven(gate) {
  try {
    await gate.ask('GET', '/admin/watch', { query: { window: '15m' } });
  } catch (error) {
    if (!(error instanceof Refused) || ![403, 404, 503].includes(error.status)) throw error;
  }
}

const refusalOf = (error) => (error.code === 'INVALID_TOKEN' ? { title: 'The secret is wrong.', hint: 'It is the one that the policy names in “admin”.', code: error.code } : error);

function open(gate, stays) {
  let view;
  let over = false;
  let here = Date.now();
  const main = h('main', { id: 'main', tabindex: '-1' });
  const chip = h('a', { class: 'chip', href: '#overview' });
  const links = Object.entries(VIEWS).map(([name, [title]]) => h('a', { href: `#${name}` }, title));
  const guarded = {
    ask: async (...question) => {
      try {
        return await gate.ask(...question);
      } catch (error) {
        // Another secret is in force now. An answer that comes late locks nobody out who has signed in since.
        if (!over && error.status === 401 && error.code === 'INVALID_TOKEN') signIn({ title: 'The gate takes the secret no more.', hint: 'Sign in again.', code: error.code });
        throw error;
      }
    },
  };
  const live = follow(guarded, (known) => {
    const { kind, word } = verdictOf(known);
    chip.className = `chip ${kind}`;
    if (chip.textContent !== word) chip.textContent = word;
    document.title = kind === 'bad' ? `(!) ${word} – edgegate` : 'edgegate';
    view?.update(known);
  });

  function show(question) {
    const wanted = location.hash.slice(1);
    const name = Object.hasOwn(VIEWS, wanted) ? wanted : 'overview';
    const [title, make] = VIEWS[name];
    for (const link of links) {
      if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    view = make({ gate: guarded, live, explain, question });
    redraw(main, h('h1', { class: 'unseen' }, title), view.root);
    view.update(live.known);
  }

  /** The question about an event: what is known of it is filled in. */
  function explain({ method, route, code }) {
    history.pushState(null, '', '#explain');
    show({ method, path: route?.replace(/\*.*$|\{.*$/, '') ?? '/', note: `Asked about ${code} on ${route ?? 'no route'}. The gate keeps no path and no credential: fill in those of the request.` });
    main.focus();
  }

  const moved = () => {
    say('');
    show();
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  };
  const sign = () => { here = Date.now(); };
  const idle = setInterval(() => {
    if (!stays && Date.now() - here >= IDLE_MILLIS) signIn({ title: 'The page was closed after half an hour without anybody.', hint: '' });
  }, LOOK_MILLIS);
  const signs = ['keydown', 'pointerdown', 'pointermove'];
  // A page that the browser brings back has forgotten, too.
  const hidden = () => signIn();
  leave = () => {
    over = true;
    gate.forget();
    live.stop();
    clearInterval(idle);
    removeEventListener('hashchange', moved);
    removeEventListener('pagehide', hidden);
    for (const name of signs) removeEventListener(name, sign);
    leave = () => {};
  };
  addEventListener('hashchange', moved);
  addEventListener('pagehide', hidden);
  for (const name of signs) addEventListener(name, sign, { passive: true });
  redraw(root, h('a', { class: 'skip', href: '#main', click: (event) => { event.preventDefault(); main.focus(); } }, 'To the content'),
    h('header', {}, h('p', { class: 'brand' }, 'edgegate', h('span', { class: 'soft' }, location.host)), h('nav', { 'aria-label': 'Views' }, links), h('div', { class: 'right', role: 'status' }, chip), button('Lock', () => signIn(), { class: 'lock' })), main);
  show();
  main.focus();
}

signIn();
