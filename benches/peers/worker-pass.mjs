// Passes each request on as it is.

import { toUpstream } from './rules.mjs';

export default {
  fetch: (request, env) => (env.UPSTREAM_URL === undefined ? env.UPSTREAM.fetch(request) : fetch(toUpstream(request, env))),
};
