// What checks read of a policy, with the defaults that its schema has.

import schema from '../../schema/policy.schema.json' with { type: 'json' };

/** The default of a field, by the name of its section in the schema. */
const defaultOf = (section, field) => schema.$defs[section].properties[field].default;

const filled = (section, value) => Object.fromEntries(
  Object.keys(schema.$defs[section].properties).map((field) => [field, value?.[field] ?? defaultOf(section, field)]),
);

export const list = (value) => (value === undefined || value === null ? [] : [value].flat());

/** The sections that checks ask for defaults of; a section that is off unless it is there stays away. */
export function factsOf(policy) {
  return {
    ...policy,
    issuers: list(policy.issuers),
    routes: list(policy.routes),
    log: policy.log ?? defaultOf('Policy', 'log'),
    csrf: policy.csrf ?? defaultOf('Policy', 'csrf'),
    auth_prefix: policy.auth_prefix ?? defaultOf('Policy', 'auth_prefix'),
    client_ip_header: policy.client_ip_header ?? defaultOf('Policy', 'client_ip_header'),
    failed_authentication: filled('FailedAuthentication', policy.failed_authentication),
    sessions: policy.sessions && filled('Sessions', policy.sessions),
    accounts: policy.accounts && { ...filled('Accounts', policy.accounts), hash: filled('PasswordHashCost', policy.accounts.hash) },
    revocation: policy.revocation && filled('Revocation', policy.revocation),
  };
}

export const needsCredential = ({ auth }) => auth !== 'none';

/** Where the answers of a policy come from, over the network: `{path, url}`. */
export function upstreamsOf({ upstream, routes }) {
  const given = [['upstream', upstream], ...routes.map((route, at) => [`routes[${at}].upstream`, route.grant ? undefined : route.upstream])];
  return given.flatMap(([path, one]) => {
    const url = typeof one === 'string' ? one : one?.url;
    return url === undefined ? [] : [{ path, url }];
  });
}

/** A path that the pattern takes. */
export const pathOf = (pattern) => pattern.replace(/\{[^}]*\}/g, '1').replace(/\/\*$/, '/doctor');

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export const isLoopback = (url) => LOOPBACK.test(new URL(url).hostname);
