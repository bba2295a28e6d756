import { adapter, isPromise, nodeRequest, refuseOtherCase, withBody } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { setCookies } from '../lib/cookies.js';
import { mountedPathOf, targetPathOf } from '../lib/gate-request.js';

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

/** Answers for an endpoint of sessions, or goes on where it is for none. */
async function handledOr(handled, decide, path, request, response, next) {
  try {
    const own = await handled;
    if (own === undefined) {
      await later(decide(), path, request, response, next);
      return;
    }
    response.statusCode = own.status;
    for (const [name, value] of own.headers) response.appendHeader(name, value);
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

/** Whether the request may go on; else it is answered. */
function carryOut(decision, path, request, response) {
  if (!decision.ok) {
    response.statusCode = decision.status;
    setHeaders(response, decision.headers);
    tellCookies(decision.cookies, response);
    // `send` would add to the content type, and an ETag.
    response.end(decision.body);
    return false;
  }
  request.auth = decision.identity;
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

const tellCookies = (cookies, response) => setCookies(cookies, {
  append: (name, value) => response.appendHeader(name, value), set: (name, value) => response.setHeader(name, value),
});

/** The path that routes are found by from here on, whatever has rewritten it before. */
function routedPath(request) {
  const { baseUrl, originalUrl, url } = request;
  if (baseUrl !== undefined) return mountedPathOf(request);
  // Connect and Polka do not say where a middleware is mounted: `/a/x` as `/x` may be that, or rewritten.
  if (originalUrl !== undefined && originalUrl !== url) {
    throw new Error('edgegate: the URL is not the one that was sent, and there is no baseUrl: use the guard without a path, where nothing has rewritten the URL');
  }
  return targetPathOf(url);
}

/**
 * Lets Express enter no route that it has found by another path or method than the gate decided on. What is no route of Express
 * (`use`) is not seen here.
 */
function holdTo(request, path) {
  request[DECIDED] = { path, method: request.method, route: request.route };
  Object.defineProperty(request, 'route', ROUTE);
}

const DECIDED = Symbol('edgegate.decided');

/** The same for each request: with functions of their own all requests would be of different shapes, which makes them slow. */
const ROUTE = {
  configurable: true,
  enumerable: true,
  get() {
    return this[DECIDED].route;
  },
  set(found) {
    const decided = this[DECIDED];
    // It is set when the route is found, and again when it is entered; only of the latter does Express catch what is thrown.
    if (found === decided.route && (this.method !== decided.method || !isSamePath(mountedPathOf(this), decided.path))) {
      throw new Error('edgegate: what rewrites the URL or the method has to come before the guard');
    }
    decided.route = found;
  },
};

/** A slash at the end is Express's own where a request ends with the place of a mount; the gate ignores it. */
const isSamePath = (one, other) => withoutSlash(one) === withoutSlash(other);

const withoutSlash = (target) => target.split('?', 1)[0].replace(/\/$/, '');

/** Calls `step` when the handler has set its headers and they are about to go out: Node has no event for it. */
function beforeHeaders(response, step) {
  const { writeHead } = response;
  response.writeHead = function writeHeadAfterStep(...given) {
    response.writeHead = writeHead;
    const fields = given.at(-1);
    if (Array.isArray(fields)) setHeaderList(response, given.pop());
    else if (typeof fields === 'object' && fields !== null) setHeaders(response, given.pop());
    step();
    return writeHead.apply(this, given);
  };
}

function setHeaders(response, headers) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/** Names and values by turns, or a list of pairs, as `writeHead` takes them: what is there of these names goes, and a name may come twice. */
function setHeaderList(response, list) {
  const flat = Array.isArray(list[0]) ? list.flat() : list;
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []));
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) response.appendHeader(name, value);
}
