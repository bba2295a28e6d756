// What changes for callers if one policy takes the place of another. Requests are made that tell the two apart, and the engine decides
// each by both; beside that the fields that differ.

import { createRehearsal } from 'edgegate/testing';

import { asAnswered, outcomeLine, urlAt } from './explained.js';
import { addressesFor, claimsFor, methodsOf, pathsOf, scopeSets } from './policy-requests.js';

/** Kinds of a change, the one that a reviewer has to see first in front. */
export const KINDS = {
  admitted: 'admitted now, refused before',
  refused: 'refused now, admitted before',
  otherwise: 'refused in both, otherwise',
  limits: 'admitted in both, other limits are asked',
};

/** `{changes, fields, tried}` from one policy (an object) to another. */
export async function difference(before, after) {
  const sides = await bothSides(before, after);
  const found = new Map();
  let tried = 0;
  for (const place of await places(sides)) {
    for (const caller of callersAt(place, sides)) {
      const headers = await caller.headers(sides);
      if (headers === undefined) continue;
      for (const ip of caller.addresses) {
        tried += 1;
        const verdicts = await Promise.all(sides.map((side) => verdict(side, place, { ...headers }, ip)));
        const kind = kindOf(...verdicts);
        if (kind !== undefined) note(found, kind, place, ip === undefined ? caller.who : `${caller.who} from ${ip}`, verdicts);
      }
    }
  }
  const order = Object.keys(KINDS);
  const changes = [...found.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return { changes, fields: fieldsThatDiffer(before, after), tried };
}

/** Both policies over the same keys, records and clock: a credential of one is the same one for the other. */
async function bothSides(before, after) {
  const now = Math.floor(Date.now() / 1000);
  const rehearsal = await createRehearsal(before, { now: () => now });
  const other = await rehearsal.beside(after);
  return [{ policy: before, rehearsal, made: new Map() }, { policy: after, rehearsal: other, made: new Map() }];
}

async function asked({ policy, rehearsal }, { method, path, scheme }, headers, ip) {
  const url = urlAt(policy, path);
  const request = { method, url: scheme === undefined ? url : url.replace(/^https?/, scheme), headers };
  return asAnswered(await rehearsal.explain(request, ip === undefined ? {} : { clientIp: ip }));
}

async function verdict(side, place, headers, ip) {
  const { outcome, steps } = await asked(side, place, headers, ip);
  return { outcome, limits: steps.find(({ step, verdict: word }) => step === 'limits' && word === 'would_be_asked')?.detail };
}

/** One path and method for each pair of routes, with all methods and the path that stand for the others. */
async function places(sides) {
  const policies = sides.map(({ policy }) => policy);
  const known = new Map();
  const methods = methodsOf(policies);
  for (const path of pathsOf(policies.flatMap(({ routes = [] }) => routes.map((route) => route.path)))) {
    for (const method of methods) {
      const [from, to] = await Promise.all(sides.map((side) => asked(side, { method, path }, {})));
      const routes = [from.route, to.route];
      const at = routes.join(' ');
      const first = known.get(at);
      if (first === undefined) known.set(at, { method, path, routes, methods: new Set([method]), of: routes.map((route, side) => policies[side].routes?.[placeOf(route)]) });
      else if (first.path === path) first.methods.add(method);
    }
  }
  const all = [...known.values()];
  return [...all, ...preflights(all, policies), ...overPlainHttp(all, policies)];
}

const placeOf = (route) => Number(/\d+/.exec(route ?? '')?.[0] ?? NaN);

/** A page of another origin asks whether it may. */
const preflights = (all, policies) => all.filter(() => policies.some(({ preflight, cors, routes = [] }) => preflight ?? cors ?? routes.some((one) => one.preflight ?? one.cors)))
  .map((place) => ({ ...place, method: 'OPTIONS', headers: { Origin: 'https://page.example', 'Access-Control-Request-Method': place.method }, note: `preflight of ${place.method}` }));

/** One place is enough: it is refused or sent to https wherever it is. */
const overPlainHttp = (all, policies) => (policies.some(({ https }) => https !== undefined) ? all.slice(0, 1).map((place) => ({ ...place, scheme: 'http', note: 'over plain http' })) : []);

/** Who may call there: `{who, headers(sides), addresses}`. A caller who cannot be made has no headers. */
function callersAt(place, sides) {
  const policies = sides.map(({ policy }) => policy);
  const addresses = addressesFor(place.of);
  const nobody = { who: 'nobody', addresses, headers: async () => ({ ...place.headers }) };
  if (place.note !== undefined) return [nobody];
  const scopes = scopeSets(place.of, policies);
  const claims = distinct([undefined, ...place.of.map((route) => claimsFor(route, place.path))]);
  const callers = [nobody];
  for (const [side, { issuers = [] }] of policies.entries()) {
    for (const issuer of issuers) {
      if (side === 1 && policies[0].issuers?.some((one) => JSON.stringify(one) === JSON.stringify(issuer))) continue;
      const as = side === 1 && policies[0].issuers?.some((one) => one.issuer === issuer.issuer) ? ', as it is wanted now' : '';
      for (const set of scopes) for (const own of claims) callers.push(tokenOf(side, issuer.issuer, set, own, addresses, as));
    }
  }
  for (const [side, { api_keys: keys }] of policies.entries()) {
    for (const { prefix, format } of keys?.prefixes ?? []) {
      if (format === 'imported' || (side === 1 && policies[0].api_keys?.prefixes?.some((one) => one.prefix === prefix))) continue;
      for (const set of scopes) callers.push(keyOf(side, prefix, set, addresses, keys.header ?? 'X-API-Key'));
    }
  }
  const side = policies.findIndex(({ sessions }) => sessions !== undefined);
  if (side >= 0) for (const set of scopes) callers.push(sessionOf(side, set, addresses));
  return callers;
}

const distinct = (values) => [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];

const having = (scopes) => (scopes.length > 0 ? ` with ${scopes.join(' ')}` : ' without scopes');

/** Makes something once for a policy. */
async function once({ made }, name, make) {
  if (!made.has(name)) made.set(name, await make().catch((error) => { if (error.code === undefined) throw error; }));
  return made.get(name);
}

function tokenOf(side, issuer, scopes, claims, addresses, as) {
  const said = claims === undefined ? '' : `, ${Object.entries(claims).map(([name, value]) => `${name}=${value}`).join(' ')}`;
  return {
    who: `token of ${issuer}${having(scopes)}${said}${as}`,
    addresses,
    async headers(sides) {
      const token = await once(sides[side], `token ${issuer} ${scopes} ${JSON.stringify(claims)}`, () => sides[side].rehearsal.token({ issuer, scopes, claims }));
      return token && { Authorization: `Bearer ${token}` };
    },
  };
}

function keyOf(side, prefix, scopes, addresses, header) {
  return {
    who: `key ${prefix}_…${having(scopes)}`,
    addresses,
    async headers(sides) {
      const minted = await once(sides[side], `key ${prefix} ${scopes}`, () => sides[side].rehearsal.keys.mint({ name: 'diff', owner: 'diff', prefix, scopes }));
      return minted && { [header]: minted.key };
    },
  };
}

function sessionOf(side, scopes, addresses) {
  return {
    who: `session${having(scopes)}`,
    addresses,
    async headers(sides) {
      // A subject may open so many in an hour.
      const opened = await once(sides[side], `session ${scopes}`, () => sides[side].rehearsal.sessions.open({ subject: `diff ${scopes.join(' ')}`, scopes }));
      return opened && { Authorization: `Bearer ${opened.accessToken}` };
    },
  };
}

const isAdmitted = ({ outcome: { code } }) => code === null;

function kindOf(from, to) {
  if (!isAdmitted(from)) return isAdmitted(to) ? 'admitted' : from.outcome.code === to.outcome.code ? undefined : 'otherwise';
  if (!isAdmitted(to)) return 'refused';
  return from.limits === to.limits && from.outcome.status === to.outcome.status ? undefined : 'limits';
}

function note(found, kind, { path, method, methods, routes, note: what }, who, [from, to]) {
  const change = {
    kind, path, methods: what === undefined ? [...methods] : [method], ...(what && { what }), routes: { before: routes[0], after: routes[1] },
    before: said(from, kind), after: said(to, kind),
  };
  const at = JSON.stringify(change);
  if (!found.has(at)) found.set(at, { ...change, callers: [] });
  found.get(at).callers.push(who);
}

const said = ({ outcome, limits }, kind) => (kind === 'limits' ? `${outcomeLine(outcome)}, limits: ${limits ?? 'none'}` : outcomeLine(outcome));

// ---- fields ----

/** By what an item of a list is the same one in both policies. */
const NAMES = {
  routes: ({ path, methods = [] }) => `${path} ${[...methods].sort().join(',')}`, issuers: ({ issuer }) => issuer, limits: ({ name }) => name,
  clients: ({ id }) => id, providers: ({ id }) => id, prefixes: ({ prefix }) => prefix, signing_keys: ({ id }) => id, secrets: (one) => one?.id ?? one,
};

/** A policy names secrets and has none, but a key set may have one. */
const HIDDEN = ['jwks', 'pem'];

/** `{path, before?, after?}` of each field that differs. */
function fieldsThatDiffer(before, after, path = '') {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const name = /(\w+)$/.exec(path)?.[1];
  if (HIDDEN.includes(name)) return [{ path, before: before === undefined ? undefined : '(hidden)', after: after === undefined ? undefined : '(hidden)' }];
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((own) => fieldsThatDiffer(before[own], after[own], path ? `${path}.${own}` : own));
  }
  if (Array.isArray(before) && Array.isArray(after) && NAMES[name] !== undefined && [...before, ...after].every((one) => typeof one === 'object')) {
    return itemsThatDiffer(before, after, path, NAMES[name]);
  }
  return [{ path, before: hidden(before), after: hidden(after) }];
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const hidden = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value, (name, member) => (HIDDEN.includes(name) ? '(hidden)' : member))));

function itemsThatDiffer(before, after, path, nameOf) {
  const indexed = (list) => new Map(list.map((one, index) => [nameOf(one), { one, index }]));
  const [from, to] = [indexed(before), indexed(after)];
  const fields = [...from].flatMap(([name, { one, index }]) => (to.has(name)
    ? fieldsThatDiffer(one, to.get(name).one, `${path}[${to.get(name).index}]`)
    : [{ path: `${path}[${index}]`, before: hidden(one), after: undefined }]));
  const added = [...to].filter(([name]) => !from.has(name)).map(([, { one, index }]) => ({ path: `${path}[${index}]`, before: undefined, after: hidden(one) }));
  const shared = (of, other) => [...of.keys()].filter((name) => other.has(name)).join('\n');
  const moved = shared(from, to) === shared(to, from) ? [] : [{ path, before: [...from.keys()], after: [...to.keys()], moved: true }];
  return [...fields, ...added, ...moved];
}
