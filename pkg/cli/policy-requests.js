// Requests that tell two policies apart: each is of a class of its own, and all of a class are decided alike by both.

/** More paths than this are not tried: beyond that somebody waits. */
const MAX_PATHS = 20_000;
/** Up to so many scopes all their subsets are tried: 2 to the 5th. */
const MAX_SUBSET_SCOPES = 5;

/** A word that no pattern has, for a part of a path that may be anything. */
const ANY = 'any-1';
const REST = 'rest-1';

/** The segments of a pattern, and whether it takes all below: as src/policy/pattern.rs reads them. */
function segmentsOf(pattern) {
  const parts = pattern.replace(/^\//, '').split('/');
  if (parts.at(-1) === '') parts.pop();
  const isOpen = parts.at(-1) === '*';
  return { parts: isOpen ? parts.slice(0, -1) : parts, isOpen };
}

const isAny = (part) => /^\{.*\}$/.test(part);

/** Whether some path is of both patterns. */
export const overlap = (one, other) => inBoth(segmentsOf(one), segmentsOf(other)) !== undefined;

/** A path that both patterns take; nothing if there is none. */
function inBoth(one, other) {
  const length = Math.max(one.parts.length, other.parts.length);
  const path = [];
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [one.parts[at], other.parts[at]];
    if ((a === undefined && !one.isOpen) || (b === undefined && !other.isOpen)) return undefined;
    const literals = [a, b].filter((part) => part !== undefined && !isAny(part));
    if (literals.length === 2 && literals[0] !== literals[1]) return undefined;
    path.push(literals[0] ?? ANY);
  }
  return `/${path.join('/')}`;
}

/** Paths of each pattern, of what each two have in common, and of no pattern. */
export function pathsOf(patterns) {
  const known = [...new Set(patterns)].map(segmentsOf);
  const paths = new Set();
  for (const one of known) {
    const own = `/${one.parts.map((part) => (isAny(part) ? ANY : part)).join('/')}`;
    paths.add(own);
    if (one.isOpen) paths.add(`${own === '/' ? '' : own}/${REST}`).add(`${own === '/' ? '' : own}/${REST}/${REST}`);
  }
  for (const [index, one] of known.entries()) {
    for (const other of known.slice(index + 1)) {
      if (paths.size >= MAX_PATHS) break;
      const both = inBoth(one, other);
      if (both !== undefined) paths.add(both);
    }
  }
  paths.add(`/${REST}`).add(`/${REST}/${REST}`).add('/');
  return [...paths];
}

const COMMON_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT', 'SEARCH'];

/** The methods that a policy names, and one for all others. */
export function methodsOf(policies) {
  const named = new Set(policies.flatMap(({ routes = [] }) => routes.flatMap(({ methods = [] }) => methods)));
  return [...named, COMMON_METHODS.find((method) => !named.has(method)) ?? 'LINK'];
}

/** Sets of scopes by which the rules of these routes can be told apart. */
export function scopeSets(routes, policies) {
  const rules = routes.map((route) => route?.scopes ?? {});
  const wanted = new Set(rules.flatMap(({ all = [], any = [] }) => [...all, ...any]));
  for (const { scope_includes: includes = {} } of policies) {
    for (const [scope, included] of Object.entries(includes)) if (included.some((one) => wanted.has(one))) wanted.add(scope);
  }
  const names = [...wanted];
  if (names.length <= MAX_SUBSET_SCOPES) {
    return Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, at) => (bits >> at) & 1));
  }
  const enough = rules.flatMap(({ all = [], any = [] }) => (any.length === 0 ? [all] : any.map((one) => [...all, one])));
  const short = enough.flatMap((set) => set.map((missing) => set.filter((one) => one !== missing)));
  const all = [[], names, ...names.map((one) => [one]), ...names.map((one) => names.filter((other) => other !== one)), ...enough, ...short];
  return [...new Map(all.map((set) => [[...new Set(set)].sort().join(' '), [...new Set(set)]])).values()];
}

/** The claims that a route wants of a caller on this path; nothing if it wants none. */
export function claimsFor(route, path) {
  if (route?.claims === undefined) return undefined;
  const parts = path.replace(/^\//, '').split('/');
  const places = segmentsOf(route.path).parts;
  const value = (wanted) => {
    const first = [wanted].flat()[0];
    const at = typeof first === 'string' && isAny(first) ? places.indexOf(first) : -1;
    return at < 0 ? first : parts[at] ?? first;
  };
  return Object.fromEntries(Object.entries(route.claims).map(([name, wanted]) => [name, value(wanted)]));
}

/**
 * Addresses that these routes can tell apart: one for each part of the address space that the same networks have. Networks lie within each other or apart, so
 * each part begins where a network does, or behind the end of one.
 */
export function addressesFor(routes) {
  const networks = [...new Set(routes.flatMap((route) => route?.ips ?? []))].map(rangeOf).filter((one) => one !== undefined);
  if (networks.length === 0) return [undefined];
  const points = networks.flatMap(({ bits, first, last }) => [first, last + 1n, first - 1n, last].map((address) => ({ bits, address })));
  const parts = new Map();
  for (const { bits, address } of points) {
    if (address < 0n || address >= 2n ** bits) continue;
    const within = networks.map((one) => one.bits === bits && one.first <= address && address <= one.last).join();
    if (!parts.has(within)) parts.set(within, bits === 32n ? asV4(address) : asV6(address));
  }
  return [...parts.values()];
}

/** The first and the last address of a network, as numbers; nothing for what the gate takes for none. */
function rangeOf(network) {
  const [text, length] = network.split('/');
  const bits = text.includes(':') ? 128n : 32n;
  const address = bits === 32n ? numberOf(text.split('.'), 256n) : numberOf(groupsOf(text), 65_536n);
  const size = 2n ** (bits - BigInt(length ?? bits));
  const first = address - (address % size);
  return { bits, first, last: first + size - 1n };
}

const numberOf = (parts, base) => parts.reduce((number, part) => number * base + BigInt(base === 256n ? part : `0x${part}`), 0n);

/** The eight groups of an address of IPv6. One of IPv4 within it is two of them. */
function groupsOf(text) {
  const whole = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${(a * 256 + Number(b)).toString(16)}:${(c * 256 + Number(d)).toString(16)}`);
  const [before, after] = whole.split('::').map((half) => half.split(':').filter(Boolean));
  return after === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill('0'), ...after];
}

const asV4 = (address) => [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
const asV6 = (address) => Array.from({ length: 8 }, (_, at) => ((address >> BigInt(112 - 16 * at)) & 65_535n).toString(16)).join(':');
