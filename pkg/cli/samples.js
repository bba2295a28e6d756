// Requests that show what a policy does: for the lines that `edgegate dev` prints, and for its key.

/** `open`: a path that anybody may ask for; `guarded`: one that a key may, with its scopes. Either may be missing. */
export function samplesOf(policy) {
  const routes = policy.routes ?? [];
  const open = routes.find((route) => route.auth === 'none' && isGet(route) && route.answer === undefined);
  const guarded = routes.find((route) => isForKeys(route) && isGet(route));
  const closed = routes.some((route) => route.path === '/*');
  return {
    open: open && pathOf(open.path),
    guarded: guarded ? { path: pathOf(guarded.path), scopes: scopesOf(guarded) } : closed ? undefined : { path: '/', scopes: [] },
  };
}

const isGet = ({ methods }) => methods === undefined || methods.includes('GET');

/** A key has neither an issuer nor claims. */
const isForKeys = ({ auth = 'required', accept = ['api_key'], issuers, claims, ips, answer, scopes }) =>
  auth === 'required' && accept.includes('api_key') && [issuers, claims, ips, answer].every((one) => one === undefined) && !scopes?.all?.some((scope) => CLOSED.includes(scope));

/** The scopes by which the guides and `edgegate init` close what is left. */
const CLOSED = ['nobody', 'operator'];

const scopesOf = ({ scopes = {} }) => [...(scopes.all ?? []), ...(scopes.any ?? []).slice(0, 1)];

/** Every scope that a route asks for, but those that close what is left. */
export const scopesOfRoutes = ({ routes = [] }) => {
  const all = routes.flatMap(({ scopes = {} }) => [...(scopes.all ?? []), ...(scopes.any ?? [])]);
  return [...new Set(all)].filter((scope) => !CLOSED.includes(scope));
};

const pathOf = (pattern) => pattern.replaceAll(/\{\w+\}/g, '1').replaceAll('*', 'hello');
