// How much of a policy its tests look at: which routes and rules they reach, and which changes of the policy they would notice.

import { overlap } from './policy-requests.js';
import { perform } from './policy-tests.js';

/** Rules of a route that refuse. Each has to be seen refusing once. */
const RULES = ['scopes', 'ips', 'issuers', 'accept'];

/** What a test can reach: each route is to admit or answer once, and each rule to refuse once. */
function pointsOf(policy) {
  const routes = policy.routes ?? [];
  const points = routes.flatMap((route, index) => {
    const at = `routes[${index}]`;
    const claims = Object.keys(route.claims ?? {}).map((name) => `${at}.claims.${name}`);
    const asks = route.auth === undefined || route.auth === 'required' ? [`${at}.auth`] : [];
    return [at, ...asks, ...RULES.filter((rule) => route[rule] !== undefined).map((rule) => `${at}.${rule}`), ...claims];
  });
  return routes.at(-1)?.path === '/*' ? points : [...points, 'no route'];
}

/** `{percent, covered, missing, codes}`: of all points, and the codes that were seen. */
export function coverage(policy, done) {
  const seen = new Set();
  for (const { found: { route, steps, outcome } } of done) {
    if (route === null && steps.some(({ step, verdict }) => step === 'route' && verdict === 'passed')) seen.add('no route');
    if (route !== null && outcome.code === null) seen.add(route);
    for (const { verdict, policy_path: place } of steps) if (verdict === 'refused' && place) seen.add(place);
  }
  const points = pointsOf(policy);
  const missing = points.filter((point) => !seen.has(point));
  const codes = [...new Set(done.map(({ found }) => found.outcome.code).filter((code) => code !== null))].sort();
  const percent = points.length === 0 ? 100 : Math.floor((100 * (points.length - missing.length)) / points.length);
  return { percent, points: points.length, missing, codes };
}

const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([own]) => own !== name));
const withItem = (list, index, item) => list.map((one, at) => (at === index ? item : one));
const withoutItem = (list, index) => list.filter((_, at) => at !== index);

/** Policies that differ in one thing that matters: `{what, policy}`. */
function* mutants(policy) {
  const routes = policy.routes ?? [];
  for (const [index, route] of routes.entries()) {
    const at = `routes[${index}]`;
    const changed = (to) => ({ ...policy, routes: withItem(routes, index, to) });
    for (const rule of ['scopes', 'ips', 'claims', 'issuers', 'accept', 'methods', 'limits']) {
      if (route[rule] !== undefined) yield { what: `${at}.${rule} removed`, policy: changed(without(route, rule)) };
    }
    for (const kind of ['all', 'any']) {
      const scopes = route.scopes?.[kind] ?? [];
      for (const [place, scope] of scopes.entries()) {
        if (scopes.length + (route.scopes[kind === 'all' ? 'any' : 'all']?.length ?? 0) < 2) continue;
        yield { what: `${at}.scopes.${kind}: without ${scope}`, policy: changed({ ...route, scopes: { ...route.scopes, [kind]: withoutItem(scopes, place) } }) };
      }
    }
    const claims = Object.keys(route.claims ?? {});
    if (claims.length > 1) for (const name of claims) yield { what: `${at}.claims.${name} removed`, policy: changed({ ...route, claims: without(route.claims, name) }) };
    if ((route.auth ?? 'required') === 'required') {
      yield { what: `${at}.auth: optional`, policy: changed({ ...route, auth: 'optional' }) };
      const open = Object.fromEntries(Object.entries(route).filter(([name]) => !['scopes', 'claims', 'issuers', 'accept', 'revocation', 'limits', 'identity', 'identity_audience'].includes(name)));
      yield { what: `${at}.auth: none`, policy: changed({ ...open, auth: 'none' }) };
    }
    yield { what: `${at} removed`, policy: { ...policy, routes: withoutItem(routes, index) } };
    if (index + 1 < routes.length && overlap(route.path, routes[index + 1].path)) yield { what: `${at} after routes[${index + 1}]`, policy: { ...policy, routes: withItem(withItem(routes, index, routes[index + 1]), index + 1, route) } };
  }
  for (const name of Object.keys(policy.scope_includes ?? {})) yield { what: `scope_includes.${name} removed`, policy: { ...policy, scope_includes: without(policy.scope_includes, name) } };
  for (const [index] of (policy.issuers ?? []).entries()) yield { what: `issuers[${index}] removed`, policy: { ...policy, issuers: withoutItem(policy.issuers, index) } };
}

/** How many of the changed policies fail a test: `{total, noticed, survivors}`. Those that no gate would take are not counted. */
export async function mutation(tests, staged) {
  let total = 0;
  const survivors = [];
  for (const { what, policy } of mutants(tests.policy)) {
    let rehearsal;
    try {
      rehearsal = await staged.rehearsal.beside(policy);
    } catch (error) {
      if (error.code === 'CONFIG_ERROR') continue;
      throw error;
    }
    total += 1;
    const done = await perform({ ...tests, policy }, { ...staged, rehearsal });
    rehearsal[Symbol.dispose ?? Symbol.for('Symbol.dispose')]();
    // Places of routes may differ, and nothing else has changed then.
    if (done.every(({ wrong }) => wrong.every((one) => one.what === 'route'))) survivors.push(what);
  }
  const noticed = total - survivors.length;
  return { total, noticed, percent: total === 0 ? 100 : Math.floor((100 * noticed) / total), survivors };
}
