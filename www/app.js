// The page: its tabs, and what it loads. Each tool has a file of its own. What is pasted goes to the engine in this page and nowhere else;
// the address of a key set is fetched.

import { ready } from '../pkg/browser.js';

import { startApiKeys } from './api-key.js';
import { $, copyButton, say } from './elements.js';
import { startRequest } from './request.js';
import { startSpeed } from './speed-panel.js';
import { showExample, startToken } from './token.js';

// ---- tabs ----

const TABS = [...document.querySelectorAll('[role=tab]')];
const NAMES = TABS.map(({ id }) => id.replace('tab-', ''));

function select(name) {
  for (const tab of TABS) {
    const isIt = tab.id === `tab-${name}`;
    tab.setAttribute('aria-selected', String(isIt));
    tab.tabIndex = isIt ? 0 : -1;
    $(tab.getAttribute('aria-controls')).hidden = !isIt;
  }
}

/** The tab that the address names, so that a tool can be linked to. */
const selectByAddress = () => select(NAMES.find((name) => location.hash === `#${name}`) ?? NAMES[0]);

function choose(index) {
  const tab = TABS[(index + TABS.length) % TABS.length];
  history.replaceState(null, '', `#${tab.id.replace('tab-', '')}`);
  selectByAddress();
  tab.focus();
}

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

function startTabs() {
  TABS.forEach((tab, index) => {
    tab.addEventListener('click', () => choose(index));
    tab.addEventListener('keydown', ({ key }) => {
      if (STEPS[key]) choose(index + STEPS[key]);
      else if (key === 'Home') choose(0);
      else if (key === 'End') choose(TABS.length - 1);
    });
  });
  addEventListener('hashchange', selectByAddress);
  selectByAddress();
}

// ---- for visits without a network ----

/** What is loaded only when it is first used. */
const LATER = ['../pkg/wasm/edgegate_gate_bg.wasm', './vendor/toml.js', './vendor/jose.js'];

/** Keeps what the page has loaded for visits without a network. Where that is not allowed, it works online all the same. */
async function keepForOffline() {
  await navigator.serviceWorker.register('./offline.js');
  const { active } = await navigator.serviceWorker.ready;
  navigator.serviceWorker.addEventListener('message', () => {
    document.documentElement.dataset.offline = 'ready';
  });
  await ready();
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  const later = LATER.map((path) => new URL(path, import.meta.url).href);
  active.postMessage([...new Set([location.href.replace(/#.*/, ''), ...loaded, ...later])]);
}

// ---- start ----

startTabs();
startToken();
startRequest();
startApiKeys();
startSpeed();
$('install').after(copyButton('the command', () => $('install').textContent));
document.documentElement.dataset.state = 'loading';
ready().then(showExample).then(
  () => {
    document.documentElement.dataset.state = 'ready';
  },
  (error) => say($('verdict'), 'bad', 'The engine cannot be loaded', error.message),
);

if ('serviceWorker' in navigator) keepForOffline().catch(() => {});
