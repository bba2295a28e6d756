import { EdgegateError } from './errors.js';

/** Headers that the guard looks at, and how a repeated one reads (RFC 9110 §5.3; cookies RFC 6265 §5.4). */
const HEADERS = {
  authorization: ['authorization', ', '],
  dpop: ['dpop', ', '],
  cookie: ['cookie', '; '],
  accept: ['accept', ', '],
  origin: ['origin', ', '],
  fetchSite: ['sec-fetch-site', ', '],
  upgrade: ['upgrade', ', '],
  requestedMethod: ['access-control-request-method', ', '],
  requestedHeaders: ['access-control-request-headers', ', '],
};

/** The names of the headers that a policy gives a meaning. What is faulty in it the engine says. */
export function headersNamed(policy) {
  const listed = Array.isArray(policy.credential_headers) ? policy.credential_headers : [];
  return {
    apiKey: nameOf(policy.api_keys?.header) ?? 'x-api-key',
    credentials: listed.map((header) => nameOf(header?.name)).filter((name) => name !== undefined),
  };
}

const nameOf = (value) => (typeof value === 'string' && /^[\w.-]+$/.test(value) ? value.toLowerCase() : undefined);

/**
 * What the guard looks at of a request: a `Request` of the web, Node's `IncomingMessage`, or anything with
 * `method`, `url` and `headers`.
 */
export function factsOf(request, { clientIp, path } = {}, clientIpHeader, named = headersNamed({})) {
  const { method, url } = request ?? {};
  if (typeof method !== 'string' || typeof url !== 'string') throw invalid('request', 'expected a Request, or method, url and headers');
  if (clientIp !== undefined && typeof clientIp !== 'string') throw invalid('clientIp', 'expected a string');
  if (path !== undefined && typeof path !== 'string') throw invalid('path', 'expected a string');
  const read = readerOf(request);
  const isNodes = typeof request.httpVersion === 'string';
  // In Node's own request a target with an authority (RFC 9112 §3.2.2) has the one that the caller chose.
  const isUrl = !isNodes && /^[a-z][a-z0-9+.-]*:\/\//i.test(url);
  const facts = { method, url: isUrl ? url : targetPathOf(url) };
  if (path !== undefined) facts.path = targetPathOf(path);
  else if (isNodes && request.baseUrl) facts.path = mountedPathOf(request);
  for (const [name, [header, separator]] of Object.entries(HEADERS)) facts[name] = read(header, separator);
  facts.apiKey = read(named.apiKey, ', ');
  if (named.credentials.length > 0) facts.credentialHeaders = named.credentials.map((header) => read(header, ', '));
  const address = clientIp === undefined && clientIpHeader !== undefined ? read(clientIpHeader.toLowerCase(), ', ') : undefined;
  // A header may hold a list, and the engine knows how many of it to trust; the others are one address.
  if (address === undefined) facts.clientIp = clientIp ?? request.socket?.remoteAddress;
  else facts.clientIpHeader = address;
  return facts;
}

/** Path and query, character by character, of a URL that the platform has written, as that of a `Request`. */
export function pathOf(url) {
  const rest = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * The same of a request target as it came over the wire, which may be anything. Of `http://x%61dmin` Express takes `%61dmin`
 * for the path, of `*admin` Fastify `/admin`. So it is a path, or an authority of which nobody doubts where it ends; to all else two
 * slashes are put, which the engine refuses.
 */
export function targetPathOf(target) {
  if (target.startsWith('/')) return target;
  const [, rest] = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?(\/.*)?$/is.exec(target) ?? [target, `//${target}`];
  return rest ?? '/';
}

/** The same of Express's request: in a router that is mounted somewhere, `url` is only what is left of it. */
export const mountedPathOf = ({ baseUrl = '', url }) => `${baseUrl}${targetPathOf(url)}`;

/** Reads headers by their lower-case names. */
function readerOf({ rawHeaders, headers }) {
  // Node's own object keeps the first of two Authorization headers; two are to be refused.
  if (Array.isArray(rawHeaders)) {
    return (name, separator) => {
      const values = [];
      for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
        if (String(rawHeaders[index]).toLowerCase() === name) values.push(rawHeaders[index + 1]);
      }
      return joined(values, separator);
    };
  }
  if (typeof headers?.get === 'function') return (name) => headers.get(name) ?? undefined;
  if (typeof headers !== 'object' || headers === null) throw invalid('request.headers', 'expected Headers or an object');
  return (name, separator) => {
    const values = [];
    for (const [key, value] of Object.entries(headers)) {
      if (key.toLowerCase() === name && value !== undefined && value !== null) values.push(...[value].flat());
    }
    return joined(values, separator);
  };
}

const joined = (values, separator) => (values.length === 0 ? undefined : values.map(String).join(separator));

const invalid = (path, problem) =>
  new EdgegateError({ code: 'INVALID_REQUEST', reason: 'invalid_field', message: `${path}: ${problem}`, path });
