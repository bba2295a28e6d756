import { adapter, nodeRequest, refuseOtherCase } from '../lib/adapter.js';

/** `guard` of express.d.ts. */
export function guard(gate, options = {}) {
  const { caseSensitive = false, ...rest } = options;
  const { check, pathCase, urlOfTarget } = adapter(gate, rest);
  if (caseSensitive !== true) refuseOtherCase(pathCase, 'caseSensitive: true here if every router of the application is');
  return async function edgegate(request, response, next) {
    try {
      // In a router that is mounted somewhere, `url` is only what is left of it.
      const decision = await check(nodeRequest(request, urlOfTarget(request.originalUrl ?? request.url)), [request]);
      if (!decision.ok) {
        response.statusCode = decision.status;
        setHeaders(response, decision.headers);
        // `send` would add to the content type, and an ETag.
        response.end(decision.body);
        return;
      }
      request.auth = decision.identity;
      setHeaders(response, decision.headers);
    } catch (error) {
      next(error);
      return;
    }
    next();
  };
}

function setHeaders(response, headers) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
