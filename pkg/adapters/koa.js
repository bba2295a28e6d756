import { adapter, isPromise, nodeRequest, refuseOtherCase, withBody } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { dropSessionCookies, setCookies } from '../lib/cookies.js';
import { targetPathOf } from '../lib/gate-request.js';
import { beforeHeaders, setOwnHeaders } from '../lib/node-response.js';

/** `guard` of koa.d.ts. */
export function guard(gate, options = {}) {
  const { caseSensitive = false, ...rest } = options;
  const { decide, handle, pathCase, urlOfTarget } = adapter(gate, rest);
  if (caseSensitive !== true) refuseOtherCase(pathCase, 'caseSensitive: true here if every router of the application is');
  return async function edgegate(context, next) {
    const { req: request } = context;
    const url = urlOfTarget(context.originalUrl);
    const path = targetPathOf(request.url);
    const handled = handle(bodied(context, url), [context], path);
    const own = handled && await handled;
    if (own !== undefined) {
      answer(context, own.status, own.headers, own.body);
      return;
    }
    const decided = decide(nodeRequest(request, url), [context], path);
    const decision = isPromise(decided) ? await decided : decided;
    if (!decision.ok) {
      answer(context, decision.status, Object.entries(decision.headers), decision.body);
      tellCookies(decision.cookies, context.res);
      return;
    }
    context.state.auth = decision.identity;
    dropSessionCookies(request, decision);
    for (const [name, value] of Object.entries(decision.headers)) context.set(name, value);
    const { res: response } = context;
    // Not behind `next`: what the handler sends by itself goes out before.
    beforeHeaders(response, () => {
      tellCaches(
        decision.caching, (name) => response.getHeader(name), (name, value) => response.setHeader(name, value), (name) => response.removeHeader(name),
      );
      tellCookies(decision.cookies, response);
    });
    holdTo(context);
    await next();
  };
}

/** The request with its body. Koa's parsers keep what they have read in their own request. */
const bodied = ({ req, request }, url) => ({ ...withBody(req, url), body: req.readableEnded ? request.body : undefined });

function answer(context, status, headers, body) {
  setOwnHeaders(headers, { append: (name, value) => context.append(name, value), set: (name, value) => context.set(name, value) });
  // To a text, a character set would be added.
  if (body !== '') context.body = Buffer.from(body);
  context.status = status;
}

const tellCookies = (cookies, response) => setCookies(cookies, {
  append: (name, value) => response.appendHeader(name, value), set: (name, value) => response.setHeader(name, value),
});

/**
 * Lets nothing rewrite the URL or the method any more: routers would go by what the gate has not decided on. Only mounts (koa-mount) may take their
 * place off the path, and put it back.
 */
function holdTo(context) {
  const { req: request } = context;
  const decided = pathOnly(request.url);
  const sent = pathOnly(context.originalUrl);
  // Where it is now, and what it was before mounts behind the guard have taken something off.
  let places = [request.url];
  Object.defineProperty(request, 'url', {
    configurable: true,
    enumerable: true,
    get: () => places.at(-1),
    set(next) {
      const path = pathOnly(next);
      const left = places.findIndex((one) => pathOnly(one) === path);
      if (left >= 0) {
        places = [...places.slice(0, left), next];
      } else if (path === decided || isAround(path, decided, sent)) {
        places = [next];
      } else if (isLeft(path, context.mountPath, pathOnly(places.at(-1)))) {
        places.push(next);
      } else {
        throw rewritten();
      }
    },
  });
  const { method } = request;
  Object.defineProperty(request, 'method', {
    configurable: true,
    enumerable: true,
    get: () => method,
    set(next) {
      if (next !== method) throw rewritten();
    },
  });
  // @koa/router goes by it before it goes by the URL.
  if (context.newRouterPath) throw rerouted();
  Object.defineProperty(context, 'newRouterPath', {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set(next) {
      if (next) throw rerouted();
    },
  });
}

/** Whether a path is what is left of another one without the mount before it. */
function isLeft(path, mountPath, whole) {
  if (typeof mountPath !== 'string') return false;
  const mount = mountPath.replace(/\/$/, '');
  return whole === `${mount}${path}` || (path === '/' && whole === mount);
}

/** Whether a path is that of a mount around the guard: the caller's own, or what mounts further out have left of it. */
const isAround = (path, decided, sent) => sent.endsWith(path) && (decided === '/' || path.endsWith(decided));

const pathOnly = (target) => targetPathOf(target).split(/[?#]/, 1)[0];

const rerouted = () => new Error('edgegate: newRouterPath is not what was decided on: set the URL, before the guard');

const rewritten = () => new Error('edgegate: what rewrites the URL or the method has to come before the guard');
