import { adapter, isPromise, nodeRequest, refuseOtherCase, withBody } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { dropSessionCookies, setCookies } from '../lib/cookies.js';
import { targetPathOf } from '../lib/gate-request.js';

/** `guard` of fastify.d.ts. */
export function guard(gate, options = {}) {
  const { decide, handle, pathCase, urlOfTarget } = adapter(gate, options);

  async function edgegate(instance) {
    const { caseSensitive, routerOptions } = instance.initialConfig;
    if ((routerOptions?.caseSensitive ?? caseSensitive) === false) refuseOtherCase(pathCase, 'leave caseSensitive at true');
    const rewrites = hasRewriteUrl(instance);
    if (!instance.hasRequestDecorator('auth')) instance.decorateRequest('auth', null);
    const caching = Symbol('edgegate.caching');
    const cookies = Symbol('edgegate.cookies');
    const routedBy = noteRouting(instance);

    /** Returns whether the request may go on. Answers it if not. */
    function carryOut(decision, request, reply) {
      reply.headers(decision.headers);
      if (!decision.ok) {
        setCookies(decision.cookies, cookieSetters(reply));
        // Bytes are sent, since Fastify would add a character set to a text.
        reply.code(decision.status).send(new TextEncoder().encode(decision.body));
        return false;
      }
      request.auth = decision.identity;
      dropSessionCookies(request.raw, decision);
      request[caching] = decision.caching;
      if (decision.cookies !== undefined) request[cookies] = decision.cookies;
      return true;
    }

    instance.addHook('onRequest', (request, reply, done) => {
      let passes;
      try {
        const path = targetPathOf(rewrites ? request.url : routedUrl(request, routedBy));
        const url = urlOfTarget(request.originalUrl);
        const handled = handle(withBody(request.raw, url), [request], path);
        if (handled !== undefined) {
          handled.then(async (own) => {
            if (own !== undefined) answerOwn(own, reply);
            else if (carryOut(await decide(nodeRequest(request.raw, url), [request], path), request, reply)) done();
          }).catch(done);
          return;
        }
        const decided = decide(nodeRequest(request.raw, url), [request], path);
        if (isPromise(decided)) {
          decided.then((decision) => carryOut(decision, request, reply)).then((mayPass) => mayPass && done(), done);
          return;
        }
        passes = carryOut(decided, request, reply);
      } catch (error) {
        done(error);
        return;
      }
      if (passes) done();
    });
    instance.addHook('onSend', (request, reply, payload, done) => {
      tellCaches(
        request[caching], (name) => reply.getHeader(name), (name, value) => reply.header(name, value), (name) => reply.removeHeader(name),
      );
      setCookies(request[cookies], cookieSetters(reply));
      done();
    });
  }

  // The same as fastify-plugin does: the hook is for the whole instance that it is registered in.
  edgegate[Symbol.for('skip-override')] = true;
  edgegate[Symbol.for('fastify.display-name')] = 'edgegate';
  edgegate[Symbol.for('plugin-meta')] = { name: 'edgegate', fastify: '>=5' };
  return edgegate;
}

/** Fastify appends to `Set-Cookie`. */
const cookieSetters = (reply) => ({
  append: (name, value) => reply.header(name, value), set: (name, value) => reply.header(name, value),
});

function answerOwn({ status, headers, body }, reply) {
  for (const [name, value] of headers) reply.header(name, value);
  reply.code(status).send(new TextEncoder().encode(body));
}

/**
 * Returns the symbol under which a request has the URL that it was routed by. It is noted when the request gets its id: that is when the
 * route is found, before any hook or middleware.
 */
function noteRouting(instance) {
  const routedBy = Symbol('edgegate.routedBy');
  const { genReqId } = instance;
  instance.setGenReqId((raw) => {
    raw[routedBy] = raw.url;
    return genReqId(raw);
  });
  return routedBy;
}

/**
 * Returns the URL that the request was routed by. This is `originalUrl`, since hooks and middleware change the URL too late. But a program
 * that calls Fastify may have changed the URL before, as Express does behind a path. Then `originalUrl` is not the path that is served.
 *
 * Fastify makes no id for a request that brings its own (`requestIdHeader`). The URL of such a request is trusted only if nobody has
 * changed it.
 */
function routedUrl({ raw, originalUrl }, routedBy) {
  if (originalUrl === (raw[routedBy] ?? raw.url)) return originalUrl;
  throw new Error('edgegate: the URL is not the one that was sent: guard where Fastify is called from, or call it with the URL as it came');
}

/** Whether the server has `rewriteUrl`. `initialConfig` does not say it. An instance within another one inherits the options. */
function hasRewriteUrl(instance) {
  for (let one = instance; one !== null; one = Object.getPrototypeOf(one)) {
    const options = Object.getOwnPropertySymbols(one).find(({ description }) => description === 'fastify.options');
    if (options !== undefined) return typeof one[options].rewriteUrl === 'function';
  }
  throw new Error('edgegate: this version of Fastify does not say whether it rewrites URLs');
}
