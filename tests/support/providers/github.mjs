// GitHub: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps,
// …/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors, …/rest/users/emails, …/rest/apps/oauth-applications
// It has no ID tokens. `settings.expires`: a GitHub App, whose tokens end
// (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens).

import { Refusal, form, json, nothing } from './http.mjs';
import { STANDARD } from './provider.mjs';

const SCOPES = ['read:user', 'user:email', 'read:org', 'user', 'repo', 'gist', 'workflow'];

/** RFC 6749 has other words for these. */
const WORDS = {
  invalid_grant: 'bad_verification_code',
  invalid_client: 'incorrect_client_credentials',
};

export const github = {
  ...STANDARD,
  name: 'github',
  paths: {
    authorization: '/login/oauth/authorize', token: '/login/oauth/access_token', userinfo: '/user',
  },
  hasIdToken: false,
  // "Only the S256 code challenge method is accepted": https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication
  challenges: ['S256'],
  codeSecs: 600,
  accessPrefix: 'gho_',
  refreshPrefix: 'ghr_',
  accessSecs: 28_800,
  // "client_id, client_secret, code, redirect_uri": grant_type is not among them.
  defaultGrantType: 'authorization_code',
  // "A space-delimited list"; its own library puts commas between, and sends JSON.
  separator: /[ ,]/,
  takesJson: true,
  // Neither response_type nor, at the token endpoint, redirect_uri has to be there.
  isLoose: true,
  knowsScope: (scope) => SCOPES.includes(scope),
  givesRefresh: (grant, { settings }) => settings.expires === true,
  // "the old user access token and refresh token will no longer work".
  endsAccess: true,
  endsFamily: false,
  answer(body, { scopes }, { settings }) {
    // Scopes with commas between. Tokens of an OAuth app do not end.
    const { access_token, refresh_token } = body;
    const own = { access_token, scope: settings.expires ? '' : scopes.join(','), token_type: 'bearer' };
    return settings.expires ? { ...own, expires_in: 28_800, refresh_token, refresh_token_expires_in: 15_897_600 } : own;
  },
  // "By default, the response takes the following form: access_token=…&scope=…": JSON only for whoever asks for it.
  tokenAnswer: (body, call) => answered(body, call),
  /** The token endpoint answers errors with status 200; the API with 401 and 404. */
  refusal({ error, message, status }, call) {
    if (call.path !== this.paths.token) return json(status, { message, documentation_url: 'https://docs.github.com/rest' });
    const isRefresh = call.form.get('grant_type') === 'refresh_token';
    const isPlace = message.startsWith('The redirect_uri');
    const word = isPlace ? 'redirect_uri_mismatch' : isRefresh && error === 'invalid_grant' ? 'bad_refresh_token' : WORDS[error] ?? error;
    return answered({ error: word, error_description: message, error_uri: 'https://docs.github.com/' }, call);
  },
  routes: (provider, call) => ({
    'GET /user': () => asked(provider, call, [], ({ id, login, name }) => ({ id, login, name, email: null, type: 'User' })),
    'GET /user/emails': () => asked(provider, call, ['user:email', 'user'], ({ emails }) => emails),
    // "this API requires at least user or read:org scope. OAuth requests with insufficient scope will receive a 403 Forbidden response."
    'GET /user/orgs': () => asked(provider, call, ['read:org', 'user'], ({ organizations }) => organizations.map((login) => ({ login, id: 1 }))),
    // "When using OAuth, this endpoint requires user, repo, or read:org scope."
    'GET /user/teams': () => asked(provider, call, ['read:org', 'user', 'repo'], ({ teams }) => teams.map(([login, slug]) => ({ slug, name: slug, organization: { login } }))),
    [`DELETE /applications/${provider.client.id}/grant`]: () => deleted(provider, call),
    // Where its own client library looks for the API of a server of one's own.
    [`DELETE /api/v3/applications/${provider.client.id}/grant`]: () => deleted(provider, call),
  }),
};

/** Octocat, with an address that is not verified and one that is not the primary one. */
export const OCTOCAT = Object.freeze({
  sub: '583231', id: 583231, login: 'octocat', name: 'The Octocat',
  emails: [
    { email: 'octocat@old.example', primary: false, verified: true, visibility: null },
    { email: 'octocat@corp.example', primary: true, verified: true, visibility: 'private' },
    { email: 'ceo@rival.example', primary: false, verified: false, visibility: null },
  ],
  organizations: ['Acme'],
  teams: [['Acme', 'core']],
});

const answered = (body, call) =>
  /application\/(json|vnd\.github\.[\w.+-]*json)/.test(call.headers.accept ?? '') ? json(200, body) : form(200, body);

function asked(provider, call, anyOf, answer) {
  // https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
  if (!call.headers['user-agent']) throw new Refusal('forbidden', 'Request forbidden by administrative rules. User-Agent is missing', 403);
  const grant = provider.granted(call);
  if (anyOf.length > 0 && !grant.scopes.some((scope) => anyOf.includes(scope))) {
    throw call.path === '/user/emails' ? new Refusal('not_found', 'Not Found', 404) : new Refusal('forbidden', 'Forbidden', 403);
  }
  const body = answer(grant.user);
  return json(200, provider.tamper[call.path] ? provider.tamper[call.path](body) : body, { 'X-OAuth-Scopes': grant.scopes.join(', ') });
}

/** https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-authorization: as the client, by `Basic`. */
function deleted(provider, call) {
  const [, credentials = ''] = (call.headers.authorization ?? '').split(' ');
  const [id, secret] = Buffer.from(credentials, 'base64').toString('utf8').split(':');
  const holds = [secret, decodeURIComponent(secret)].includes(provider.client.secret);
  if (id !== provider.client.id || !holds) throw new Refusal('forbidden', 'Requires authentication', 401);
  const { access_token: token } = JSON.parse(call.body);
  return provider.end(token) ? nothing(204) : json(422, { message: 'Validation Failed' });
}
