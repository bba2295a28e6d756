// What a person does who wants to be logged in: presses what a page offers, then reloads, then goes back. Whatever else helps is a dead end:
// a new tab, the address bar, cookies deleted by hand.

import { ORIGIN } from './pages.mjs';
import { quiet } from './network.mjs';

const sleep = (millis) => new Promise((resolve) => { setTimeout(resolve, millis); });

/** So often a person presses on before losing patience. */
const PATIENCE = 4;

/** Runs in the page. */
const looks = () => ({
  title: document.title,
  path: location.pathname,
  origin: location.origin,
  text: (document.body?.innerText ?? '').trim().slice(0, 300),
  way: document.querySelector('a[href], button, input[type=submit]') !== null,
  ready: document.readyState === 'complete',
});

const presses = (selector) => {
  document.querySelector(selector).click();
};

export class Person {
  constructor(network, profile) {
    this.network = network;
    this.profile = profile;
  }

  /** A new tab, at this address. */
  async tab(target) {
    const tab = await this.profile.tab();
    if (target !== undefined) await tab.goto(new URL(target, ORIGIN).href);
    return tab;
  }

  /** A new tab that is at the provider's page, unless something is wrong already. */
  async begin(target) {
    const tab = await this.tab(target);
    await this.look(tab);
    return tab;
  }

  async press(tab, selector) {
    const before = this.network.quietSince;
    await tab.evaluate(presses, selector).catch(() => {});
    for (let waited = 0; waited < 3000 && this.network.quietSince === before && this.network.busy === 0; waited += 20) await sleep(20);
  }

  /** The page, once nothing moves any more. */
  async look(tab) {
    let seen;
    for (let attempt = 0; attempt < 1500; attempt += 1) {
      seen = await tab.evaluate(looks).catch(() => undefined);
      if (seen?.title === 'home' && seen.ready) return seen;
      const isQuiet = this.network.busy === 0 && Date.now() - this.network.quietSince > 350;
      if (isQuiet && (seen === undefined || seen.ready)) return (await tab.evaluate(looks).catch(() => undefined)) ?? { title: '', path: '', text: 'a page of the browser', way: false };
      await sleep(40);
    }
    return seen ?? { title: '', path: '', text: 'a page that never ends', way: false };
  }

  /** Waits until the page calls itself so. */
  async waitFor(tab, title) {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if ((await tab.evaluate(() => document.title)) === title) return;
      await sleep(100);
    }
    throw new Error(`no page "${title}"`);
  }

  /** Goes on from where this tab is, until the wanted page is there. Says how: `{ ok, means, page, faults }`. */
  async finish(tab, wanted, { first = '#ok' } = {}) {
    const means = [];
    const faults = [];
    let [signIns, buttons, reloads, backs] = [0, 0, 0, 0];
    const result = (ok, page) => ({ ok, means: [...new Set(means)], page, faults });
    for (let step = 0; step < 16; step += 1) {
      const seen = await this.look(tab);
      if (seen.title === 'home') return result(true, seen.path === wanted ? 'wanted' : seen.path);
      if (seen.title === 'sign in') {
        if (signIns === PATIENCE) return result(false, 'loop');
        await this.press(tab, signIns === 0 ? first : '#ok');
        signIns += 1;
        continue;
      }
      faults.push(seen.text.replace(/\s+/g, ' ') || seen.title || 'an empty page');
      if (seen.way && buttons < PATIENCE && seen.origin !== 'null') {
        buttons += 1;
        means.push('button');
        await this.press(tab, 'a[href], button, input[type=submit]');
      } else if (reloads === 0) {
        reloads += 1;
        means.push('reload');
        await tab.reload();
      } else if (backs < 2) {
        backs += 1;
        means.push('back');
        await tab.back();
      } else return result(false, 'dead end');
    }
    return result(false, 'dead end');
  }

  quiet() {
    return quiet(this.network);
  }
}
