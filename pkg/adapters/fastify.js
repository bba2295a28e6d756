import { adapter, nodeRequest, refuseOtherCase } from '../lib/adapter.js';
import { targetPathOf } from '../lib/gate-request.js';

/** `guard` of fastify.d.ts. */
export function guard(gate, options = {}) {
  const { check, pathCase, urlOfTarget } = adapter(gate, options);

  async function edgegate(instance) {
    const { caseSensitive, routerOptions } = instance.initialConfig;
    if ((routerOptions?.caseSensitive ?? caseSensitive) === false) refuseOtherCase(pathCase, 'leave caseSensitive at true');
    if (!instance.hasRequestDecorator('auth')) instance.decorateRequest('auth', null);
    instance.addHook('onRequest', async (request, reply) => {
      // `url` is what `rewriteUrl` has made of it, and what Fastify routes by.
      const path = targetPathOf(request.url);
      const decision = await check(nodeRequest(request.raw, urlOfTarget(request.originalUrl)), [request], { path });
      reply.headers(decision.headers);
      if (!decision.ok) {
        // To a text, a character set would be added.
        return reply.code(decision.status).send(new TextEncoder().encode(decision.body));
      }
      request.auth = decision.identity;
      return undefined;
    });
  }

  // As fastify-plugin does: the hook is for all of the instance that it is registered in.
  edgegate[Symbol.for('skip-override')] = true;
  edgegate[Symbol.for('fastify.display-name')] = 'edgegate';
  edgegate[Symbol.for('plugin-meta')] = { name: 'edgegate', fastify: '>=5' };
  return edgegate;
}
