// A browser follows return URLs through whole logins. Every request of it is seen, so a site that it should not have reached is found.

import { LISTED } from './edgegate.mjs';
import { APP, ORIGIN } from './pages.mjs';
import { quiet } from './network.mjs';

const OURS = [APP, new URL(LISTED).host];

/** Where browsers go by themselves. */
const isOfTheBrowser = (host) => /(^|\.)(google|googleapis|gvt1|gstatic|mozilla|firefox|mozgcp)\.(com|org|net)$/.test(host);

/** Whether this request left the sites that a login may lead to. */
const leaves = ({ host, url }) => !isOfTheBrowser(host) && (!OURS.includes(host) || url.startsWith('http://'));

/** The URL of a login that leads to `target` afterwards, by subject. `undefined`: nobody can name a target there. */
export const BY_PARAMETER = {
  edgegate: (target) => `${ORIGIN}/auth/login/op?return_to=${encodeURIComponent(target)}`,
  mod_auth_openidc: (target, issuer) => `${ORIGIN}/oidc/callback?iss=${encodeURIComponent(issuer)}&target_link_uri=${encodeURIComponent(target)}`,
};

/** The page itself, which asks for a login first. Only for targets that are paths. */
export const byPath = (target) => (/^[/\\]/.test(target) ? `${ORIGIN}${target}` : undefined);

/** The cookies of sessions: without them each target needs a login of its own. */
const SESSION_COOKIE = /^(__Host-edgegate-(at|rt)|appSession|oidc-auth|mod_auth_openidc_session.*)$/;

/** More than the time in which a person may open a session, at 30 an hour. */
const APART_MILLIS = 125_000;

/**
 * Follows each target. Returns how many were followed, those that reached another site as `{ target, reached }`, and where the others ended,
 * by target.
 */
export async function follow(world, targets, urlOf) {
  const person = await world.person();
  const tab = await person.begin('/private/first');
  await person.finish(tab, '/private/first');
  const left = [];
  const ended = new Map();
  let ahead = 0;
  for (const target of targets) {
    const url = urlOf(target, world.provider.ready);
    if (url === undefined) continue;
    if (world.subject.limitsSessions) {
      ahead += APART_MILLIS;
      await world.moveClocks(ahead);
    }
    world.front.hides = SESSION_COOKIE;
    world.network.seen.length = 0;
    await tab.goto(url);
    await quiet(world.network, 30);
    const end = await tab.url().catch(() => 'about:blank');
    const reached = world.network.seen.filter(leaves).map(({ host, url: at }) => `${host}${at}`);
    const isElsewhere = /^https?:/.test(end) && ![ORIGIN, LISTED, world.provider.ready].includes(new URL(end).origin);
    if (reached.length > 0 || isElsewhere) left.push({ target, reached: reached[0] ?? end });
    ended.set(target, end);
  }
  await person.profile.close();
  world.profiles.length = 0;
  world.began += ahead;
  world.front.reset(world.began);
  return { followed: ended.size, left, ended };
}
