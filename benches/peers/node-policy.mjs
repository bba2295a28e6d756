// The policy of the gates in Node: one route with a scope, and a limit in memory.

export const nodePolicy = ({ issuer, audience, limit, pathCase }) => ({
  ...(pathCase === undefined ? {} : { path_case: pathCase }),
  issuers: [{ issuer, audience: [audience], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
  // The peers do not count failures; the gate does, and a proof has many.
  failed_authentication: { requests: 1000, window_secs: 60 },
  limits: [{ name: 'per-caller', by: 'caller', requests: limit, window_secs: 60, algorithm: 'fixed-window', store: 'memory' }],
  routes: [{ path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] }, limits: ['per-caller'] }],
});
