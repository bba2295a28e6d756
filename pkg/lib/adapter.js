import { bearerGate } from './bearer.js';
import { pathOf, targetPathOf } from './gate-request.js';

/** As gate.js has it. */
const AT_ONCE = Symbol.for('edgegate.atOnce');

/** Whether what `decide` gave has to be waited for. */
export const isPromise = (decided) => typeof decided.then === 'function';

/**
 * What all adapters share: `decide(request, …what the framework gave)` by a gate, or by a verifier alone.
 *
 * Misuse throws a TypeError, which is the same class for those that require the adapter as for those that import it.
 */
export function adapter(gate, options, known = ['clientIp', 'origin']) {
  const checks = gateOf(gate);
  if (typeof options !== 'object' || options === null) throw new TypeError('edgegate: options: expected an object');
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`edgegate: ${name} is not a known option, expected one of ${known.join(', ')}`);
  }
  const { clientIp, origin } = options;
  if (clientIp !== undefined && typeof clientIp !== 'function') {
    throw new TypeError('edgegate: clientIp: expected a function that returns the address');
  }
  if (origin !== undefined && !isOrigin(origin)) throw new TypeError("edgegate: origin: expected one like 'https://api.example.com'");
  return {
    /**
     * The URL by which callers know the target of Node's request. A caller writes the authority himself (`Host`, or a target in absolute
     * form), so only the one that was configured counts for proofs of possession; without it the URL is but a path, and no proof holds.
     */
    urlOfTarget: (target) => `${origin ?? ''}${targetPathOf(target)}`,
    /** The same for a `Request`. Cloudflare asks Workers under their own names only; elsewhere servers take the host of its URL from `Host`. */
    urlOfRequest: (url) => (origin === undefined && isInWorkers() ? url : `${origin ?? ''}${pathOf(url)}`),
    /**
     * `given` is what `clientIp` is called with; `path` what the framework routes by. `request.url` stays what the caller asked
     * for, which a proof of possession names. Returns the decision, or the promise of one if something has to be waited for.
     */
    decide: (request, given, path, waitUntil) => {
      const asked = { clientIp: clientIp?.(...given) ?? undefined, path, waitUntil };
      const atOnce = checks.check[AT_ONCE];
      return atOnce === undefined ? checks.check(request, asked) : atOnce(checks, request, asked);
    },
    /** The answer of an endpoint of sessions, or a promise of `undefined`; `undefined` where none can be meant. */
    handle: (request, given, path) => {
      if (checks.mayHandle === undefined || !checks.mayHandle(path ?? pathOf(request.url))) return undefined;
      return checks.handle(request, { clientIp: clientIp?.(...given) ?? undefined, path });
    },
    pathCase: checks.pathCase,
  };
}

function gateOf(gate) {
  if (typeof gate?.check === 'function') return gate;
  if (typeof gate?.identify === 'function') return privately(bearerGate(gate));
  throw new TypeError('edgegate: expected a gate of createGate, or a verifier of createVerifier');
}

/** A verifier admits only known callers, so each answer is for one caller alone. */
const privately = ({ check }) => ({
  async check(request) {
    const decision = await check(request);
    return decision.ok ? { ...decision, caching: { 'Cache-Control': 'private' } } : decision;
  },
});

/**
 * Where the framework answers `/ADMIN` by its route for `/admin` and the policy takes them for two, the policy's route for
 * `/admin` can be walked around. `framework` says how to make it tell them apart.
 */
export function refuseOtherCase(pathCase, framework) {
  if (pathCase !== 'sensitive') return;
  throw new TypeError(`edgegate: path_case: the policy tells /a from /A: say path_case: "insensitive" in it, or ${framework}`);
}

const isInWorkers = () => globalThis.navigator?.userAgent === 'Cloudflare-Workers';

function isOrigin(value) {
  try {
    return new URL(value).origin === value && /^https?:/.test(value);
  } catch {
    return false;
  }
}

/** The same with its body. A parser of the framework may have read it; one that has not may have put an empty object there. */
export const withBody = (request, url) => ({
  ...nodeRequest(request, url), body: request.readableEnded ? request.body : undefined, [Symbol.asyncIterator]: () => request[Symbol.asyncIterator](),
});

/** The request of Node as it came: the target as it was sent, and every header, also those that Node drops. */
export const nodeRequest = ({ method, rawHeaders, headers, socket }, url) => ({ method, url, rawHeaders, headers, socket });
