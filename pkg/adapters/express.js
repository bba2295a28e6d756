import { adapter, isPromise, nodeRequest, refuseOtherCase, withBody } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { dropSessionCookies, setCookies } from '../lib/cookies.js';
import { mountedPathOf, targetPathOf } from '../lib/gate-request.js';
import { beforeHeaders, setHeaders, setOwnHeaders } from '../lib/node-response.js';

/** `guard` of express.d.ts. */
export function guard(gate, options = {}) {
  const { caseSensitive = false, ...rest } = options;
  const { decide, handle, pathCase, urlOfTarget } = adapter(gate, rest);
  if (caseSensitive !== true) refuseOtherCase(pathCase, 'caseSensitive: true here if every router of the application is');
  return function edgegate(request, response, next) {
    let passes;
    try {
      const path = routedPath(request);
      const url = urlOfTarget(request.originalUrl ?? request.url);
      const decideNow = () => decide(nodeRequest(request, url), [request], path);
      const handled = handle(withBody(request, url), [request], path);
      if (handled !== undefined) return handledOr(handled, decideNow, path, request, response, next);
      const decided = decideNow();
      if (isPromise(decided)) return later(decided, path, request, response, next);
      passes = carryOut(decided, path, request, response);
    } catch (error) {
      next(error);
      return NOTHING_LEFT;
    }
    if (passes) next();
    return NOTHING_LEFT;
  };
}

const NOTHING_LEFT = Promise.resolve();

/** Answers if the request is for an endpoint of sessions; otherwise goes on. */
async function handledOr(handled, decide, path, request, response, next) {
  try {
    const own = await handled;
    if (own === undefined) {
      await later(decide(), path, request, response, next);
      return;
    }
    response.statusCode = own.status;
    setOwnHeaders(own.headers, settersOf(response));
    response.end(own.body);
  } catch (error) {
    next(error);
  }
}

async function later(decided, path, request, response, next) {
  try {
    if (!carryOut(await decided, path, request, response)) return;
  } catch (error) {
    next(error);
    return;
  }
  next();
}

/** Returns whether the request may go on. Answers it if not. */
function carryOut(decision, path, request, response) {
  if (!decision.ok) {
    response.statusCode = decision.status;
    setOwnHeaders(Object.entries(decision.headers), settersOf(response));
    tellCookies(decision.cookies, response);
    // `send` would change the content type and add an ETag.
    response.end(decision.body);
    return false;
  }
  request.auth = decision.identity;
  dropSessionCookies(request, decision);
  setHeaders(response, decision.headers);
  if (request.baseUrl !== undefined) holdTo(request, path);
  beforeHeaders(response, () => {
    tellCaches(
      decision.caching, (name) => response.getHeader(name), (name, value) => response.setHeader(name, value), (name) => response.removeHeader(name),
    );
    tellCookies(decision.cookies, response);
  });
  return true;
}

const settersOf = (response) => ({
  append: (name, value) => response.appendHeader(name, value), set: (name, value) => response.setHeader(name, value),
});

const tellCookies = (cookies, response) => setCookies(cookies, settersOf(response));

/** Returns the path by which routes are found from here on, even if something has rewritten it before. */
function routedPath(request) {
  const { baseUrl, originalUrl, url } = request;
  if (baseUrl !== undefined) return mountedPathOf(request);
  // Connect and Polka do not say where a middleware is mounted. If `/a/x` has become `/x`, it may be mounted at `/a`, or the URL may have
  // been rewritten.
  if (originalUrl !== undefined && originalUrl !== url) {
    throw new Error('edgegate: the URL is not the one that was sent, and there is no baseUrl: use the guard without a path, where nothing has rewritten the URL');
  }
  return targetPathOf(url);
}

/**
 * Keeps Express from entering a route that it has found by another path or method than the gate decided on. A handler that is no route
 * (`use`) is not seen here.
 */
function holdTo(request, path) {
  request[DECIDED] = { path, method: request.method, route: request.route };
  Object.defineProperty(request, 'route', ROUTE);
}

const DECIDED = Symbol('edgegate.decided');

/**
 * All requests share these two functions. With functions of its own, each request would be an object of a different shape, which is slow.
 */
const ROUTE = {
  configurable: true,
  enumerable: true,
  get() {
    return this[DECIDED].route;
  },
  set(found) {
    const decided = this[DECIDED];
    // Express sets it when it finds the route, and again when it enters the route. It catches only what is thrown the second time.
    if (found === decided.route && (this.method !== decided.method || !isSamePath(mountedPathOf(this), decided.path))) {
      throw new Error('edgegate: what rewrites the URL or the method has to come before the guard');
    }
    decided.route = found;
  },
};

/** Express adds a slash if a request ends at the place of a mount. The gate ignores a slash at the end. */
const isSamePath = (one, other) => withoutSlash(one) === withoutSlash(other);

const withoutSlash = (target) => target.split('?', 1)[0].replace(/\/$/, '');
