// A browser, a provider and a subject, for one scenario after the other.

import { randomBytes } from 'node:crypto';

import { closedPort } from '../worker/harness.mjs';
import { launch } from './engines.mjs';
import { Front } from './front.mjs';
import { startNetwork } from './network.mjs';
import { Person } from './person.mjs';
import { startProgram } from './program.mjs';
import { SCENARIOS, verdict } from './scenarios.mjs';
import { APP, ORIGIN } from './pages.mjs';

const LATER_MILLIS = 2 * 3600_000;

export class World {
  static async open(engine, subject) {
    const world = new World();
    world.subject = subject;
    world.network = await startNetwork({}, { names: [APP] });
    const { tls, proxy } = world.network;
    const clientSecret = randomBytes(32).toString('hex');
    world.provider = await startProgram('provider.mjs', {
      key: tls.key.toString(), cert: tls.cert.toString(), port: await closedPort(), clientSecret, redirectUris: [subject.callback], logoutUris: [`${ORIGIN}/`],
    });
    world.running = await subject.start({ issuer: world.provider.ready, clientSecret, authority: tls.file });
    world.front = new Front(subject, world.running);
    world.front.reset();
    world.network.sites[APP] = world.front.handle;
    world.browser = await launch(engine, { proxy });
    world.profiles = [];
    world.began = 0;
    return world;
  }

  /** Somebody with a browser of their own. */
  async person() {
    const profile = await this.browser.profile();
    this.profiles.push(profile);
    return new Person(this.network, profile);
  }

  /** Moves every clock, for this scenario: the subject's, the provider's, and the one that cookies expire by. */
  async moveClocks(millis) {
    const ahead = this.began + millis;
    this.front.ahead = ahead;
    await Promise.all([this.running.moveClock(ahead), this.provider.tell({ ahead })]);
  }

  /** Moves the subject's clock alone. */
  moveItsClock(millis) {
    return this.running.moveClock(this.began + millis);
  }

  async logOut(tab) {
    if (this.subject.logOut) return this.subject.logOut(tab);
    return tab.goto(`${ORIGIN}${this.subject.logout}`);
  }

  /** Runs a scenario, with a new person and everything else as it was. */
  async run(name) {
    const before = Date.now();
    const scenario = SCENARIOS[name];
    let results;
    let failure;
    try {
      results = await scenario(this, await this.person());
    } catch (error) {
      failure = error;
    }
    const { cookieBytes } = this.front;
    for (const profile of this.profiles.splice(0)) await profile.close().catch(() => {});
    // Later: what is limited by the hour is as new, too.
    this.began += LATER_MILLIS;
    await this.moveClocks(0);
    await this.provider.tell({ set: { tokenMillis: 0, tokenDown: false, error: undefined } });
    this.front.reset(this.began);
    if (failure) return { verdict: 'not run', faults: [String(failure)], cookieBytes, millis: Date.now() - before };
    return { verdict: verdict(results), faults: results.flatMap(({ faults }) => faults), pages: results.map(({ page }) => page), cookieBytes, millis: Date.now() - before };
  }

  async close() {
    await this.browser.close();
    await this.running.close();
    await this.provider.close();
    this.network.close();
  }
}
