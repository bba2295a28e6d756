// The lines that `edgegate doctor` answers: those of the guide's production checklist in its words, and some of ours.

/** By section, in the order of the guide: the id of each line, and the line. */
const GUIDE = {
  Security: {
    secrets: 'All secrets stored in environment variables or secret manager',
    https: 'HTTPS enforced (HTTP redirects to HTTPS)',
    passwords: 'Passwords hashed with bcrypt (salt rounds ≥10)',
    'api-keys': 'API keys stored hashed in database',
    'jwt-secrets': 'JWT secrets are 256+ bits',
    'access-tokens': 'Access tokens expire (15 minutes recommended)',
    'refresh-tokens': 'Refresh tokens expire (7 days recommended)',
    attempts: 'Rate limiting on authentication endpoints (5 attempts / 15 min)',
    cors: 'CORS configured with specific origins (not *)',
    headers: 'Security headers implemented (Helmet.js)',
    validation: 'Input validation on all authentication endpoints',
    'constant-time': 'Constant-time comparison for tokens',
    cookies: 'httpOnly cookies for token storage',
    csrf: 'CSRF protection (state parameter for OAuth)',
    csp: 'XSS protection (Content Security Policy)',
    'oauth-tokens': 'OAuth tokens encrypted before database storage',
  },
  Monitoring: {
    'failures-logged': 'Failed authentication attempts logged',
    'logins-logged': 'Successful logins logged with IP/user-agent',
    expiry: 'Token expiration errors tracked',
    alerts: 'Unusual access patterns alerted',
    'logs-sent': 'Security logs sent to Datadog/Sentry',
    dashboard: 'Dashboard showing auth success/failure rates',
  },
  'User Experience': {
    errors: 'Clear error messages (without leaking info)',
    refresh: 'Token refresh flow implemented',
    logout: 'Logout invalidates tokens',
    reset: 'Password reset flow implemented',
    mfa: 'Multi-factor authentication considered',
    remember: 'Remember me option (optional)',
  },
  Documentation: {
    'docs-authentication': 'Authentication methods documented',
    'docs-keys': 'API key generation process documented',
    'docs-tokens': 'Token format and claims documented',
    'docs-errors': 'Error codes documented',
    'docs-limits': 'Rate limits communicated',
    'docs-practice': 'Security best practices shared with API consumers',
  },
};

/** What the guide does not have. */
const MORE = {
  'Beyond the guide': {
    policy: 'The gate takes the policy, and what it needs is bound',
    'same-policy': 'The running gate decides as this policy says',
    names: 'No name of a guide is left in the policy',
    host: 'The gate answers under its own host alone',
    around: 'Nobody reaches the service around the gate',
    'other-paths': 'Paths that no route names are closed by a last route',
    'open-routes': 'Routes without a credential only read',
    'fail-closed': 'A store that does not answer lets nobody in',
    administration: 'Administration is walled off',
    'first-guess': 'The first guess at a name does not tell who has an account',
    address: "Callers cannot choose the address that they are counted by",
    runtime: 'The compatibility date is less than a year old',
    sampling: 'The log keeps every line',
    losses: 'Nothing that was counted is lost',
    version: 'The gate has the version of this command',
    clock: 'The clocks of gate and caller agree',
  },
};

const linesOf = (sections, isOfGuide) => Object.entries(sections).flatMap(([section, lines]) => Object.entries(lines).map(([id, line]) => ({ id, section, line, isOfGuide })));

/** `{id, section, line, isOfGuide}` each, in their order. */
export const LINES = [...linesOf(GUIDE, true), ...linesOf(MORE, false)];

/** In what way something is known. */
export const KINDS = {
  static: 'by the files: the policy, wrangler\'s configuration, what git has',
  report: 'the running gate says so, to its administrator or to all',
  live: 'by requests to the running gate that change nothing',
  probe: 'by requests that make, use and end something (--probe)',
  attested: 'somebody says so, in doctor.toml',
  none: 'nothing here can prove it',
};

/** The worst one first: what a line comes to is the first of these that one of its findings has. */
export const STATES = ['FAIL', 'WARN', 'UNKNOWN', 'ATTESTED', 'PASS', 'SKIP'];

const verdict = (state) => (evidence, more = {}) => ({ state, evidence, ...more });

export const pass = verdict('PASS');
/** Works, and is worse than it could be. `fix` says what to do, `path` where in the policy. */
export const warn = verdict('WARN');
export const fail = verdict('FAIL');
/** Does not apply, or was not asked for. */
export const skip = verdict('SKIP');
/** Cannot be known here. It never counts as passed. */
export const unknown = verdict('UNKNOWN');
