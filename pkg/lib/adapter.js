import { bearerGate } from './bearer.js';
import { expectedName } from './check.js';
import { pathOf, targetPathOf } from './gate-request.js';

/** The same symbol as in gate.js. */
const AT_ONCE = Symbol.for('edgegate.atOnce');

/** Whether `decide` returned a promise. */
export const isPromise = (decided) => typeof decided.then === 'function';

/**
 * What all adapters share. `gate` is a gate, or a verifier alone.
 *
 * Wrong arguments throw a TypeError, since `require` and `import` have that class in common; each has an EdgegateError of its own.
 */
export function adapter(gate, options, known = ['clientIp', 'origin']) {
  const checks = gateOf(gate);
  if (typeof options !== 'object' || options === null) throw new TypeError('edgegate: options: expected an object');
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`edgegate: ${name} is not a known option, expected ${expectedName(known, name)}`);
  }
  const { clientIp, origin } = options;
  if (clientIp !== undefined && typeof clientIp !== 'function') {
    throw new TypeError('edgegate: clientIp: expected a function that returns the address');
  }
  if (origin !== undefined && !isOrigin(origin)) throw new TypeError("edgegate: origin: expected one like 'https://api.example.com'");
  return {
    /**
     * The URL by which callers know the target of Node's request. A caller chooses the authority, by `Host` or by a target in absolute
     * form. So only the configured origin counts for proofs of possession. Without one the URL is only a path, and no proof holds.
     */
    urlOfTarget: (target) => `${origin ?? ''}${targetPathOf(target)}`,
    /**
     * The same for a `Request`. Cloudflare calls a Worker only under its own host names. Other servers take the host of the URL from
     * `Host`.
     */
    urlOfRequest: (url) => (origin === undefined && isInWorkers() ? url : `${origin ?? ''}${pathOf(url)}`),
    /**
     * Returns the decision, or a promise of it if something has to be waited for. `given` are the arguments for `clientIp`. `path` is the
     * path that the framework routes by. `request.url` stays the URL that the caller asked for: a proof of possession names it.
     */
    decide: (request, given, path, waitUntil) => {
      const asked = { clientIp: clientIp?.(...given) ?? undefined, path, waitUntil };
      const atOnce = checks.check[AT_ONCE];
      return atOnce === undefined ? checks.check(request, asked) : atOnce(checks, request, asked);
    },
    /**
     * Returns `undefined` if the path cannot be an endpoint of sessions. Otherwise returns a promise of the endpoint's answer, or of
     * `undefined` if it is no endpoint after all.
     */
    handle: (request, given, path, waitUntil) => {
      if (checks.mayHandle === undefined || !checks.mayHandle(path ?? pathOf(request.url))) return undefined;
      return checks.handle(request, { clientIp: clientIp?.(...given) ?? undefined, path, waitUntil });
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
 * A framework may answer `/ADMIN` by its route for `/admin`. If the policy takes them for two paths, a caller of `/ADMIN` gets around the
 * policy's route for `/admin`. `framework` says how to make the framework tell them apart.
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

/**
 * Node's request with this URL and its body. `body` counts only if the stream has ended: then a parser of the framework has read it. A
 * parser that has not read the stream may have put an empty object there.
 */
export const withBody = (request, url) => ({
  ...nodeRequest(request, url), body: request.readableEnded ? request.body : undefined, [Symbol.asyncIterator]: () => request[Symbol.asyncIterator](),
});

/** Node's request with this URL. `rawHeaders` has every header, also those that Node drops from `headers`. */
export const nodeRequest = ({ method, rawHeaders, headers, socket }, url) => ({ method, url, rawHeaders, headers, socket });
