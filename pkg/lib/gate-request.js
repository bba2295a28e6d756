import { EdgegateError } from './errors.js';
import {
  ACCEPT, API_KEY, AUTHORIZATION, CLIENT_IP, CLIENT_IP_HEADER, COOKIE, DPOP, FETCH_DEST, FETCH_MODE, FETCH_SITE, FIELDS, GRANT_ACCOUNT, METHOD, ORIGIN, PATH,
  REQUESTED_HEADERS, REQUESTED_METHOD, UPGRADE, URL_LINE,
} from './protocol.js';

/** Headers that the guard reads: the line of each, its name, and what joins repeated ones (RFC 9110 §5.3; for cookies RFC 6265 §5.4). */
const HEADERS = [
  [AUTHORIZATION, 'authorization', ', '],
  [DPOP, 'dpop', ', '],
  [COOKIE, 'cookie', '; '],
  [ACCEPT, 'accept', ', '],
  [ORIGIN, 'origin', ', '],
];
/** These say which page sends a request, and whether it opens a WebSocket. They count only where a cookie can decide. */
const OF_PAGES = [
  [FETCH_SITE, 'sec-fetch-site', ', '],
  [UPGRADE, 'upgrade', ', '],
  // A proxy that asks about a WebSocket does not send `Upgrade`, but it sends this.
  [UPGRADE, 'sec-websocket-version', ', '],
];
/** Whether a person waits for a page, and which account at a provider is meant. They count only where people log in. */
const OF_LOGINS = [
  [FETCH_MODE, 'sec-fetch-mode', ', '],
  [FETCH_DEST, 'sec-fetch-dest', ', '],
  [GRANT_ACCOUNT, 'x-grant-account', ', '],
];
const OF_PREFLIGHTS = [
  [REQUESTED_METHOD, 'access-control-request-method', ', '],
  [REQUESTED_HEADERS, 'access-control-request-headers', ', '],
];

/** The headers that are read for one policy. This is made once for a gate, so that each request costs only its own headers. */
export class HeadersRead {
  #places = new Map();
  /** Whether a header that is read has a name of this length. Most headers of a request are skipped by their length alone. */
  #lengths = [];

  /**
   * Faults of the policy are ignored here: the engine reports them. `clientIpHeader` is the header that holds the client's address, if
   * there is one.
   */
  constructor(policy = {}, clientIpHeader = undefined) {
    const listed = Array.isArray(policy.credential_headers) ? policy.credential_headers : [];
    const credentials = listed.map((header) => nameOf(header?.name)).filter((name) => name !== undefined);
    /** The number of lines. */
    this.size = FIELDS + credentials.length;
    this.always = [
      ...HEADERS,
      ...(policy.cookie === undefined && policy.sessions === undefined ? [] : OF_PAGES),
      ...(policy.login === undefined ? [] : OF_LOGINS),
      [API_KEY, nameOf(policy.api_keys?.header) ?? 'x-api-key', ', '],
      ...credentials.map((name, index) => [FIELDS + index, name, ', ']),
    ];
    if (typeof clientIpHeader === 'string') this.always.push([CLIENT_IP_HEADER, clientIpHeader.toLowerCase(), ', ']);
    for (const [place, name, separator] of [...this.always, ...OF_PREFLIGHTS]) {
      this.#places.set(name, [...(this.#places.get(name) ?? []), [place, separator]]);
      this.#lengths[name.length] = true;
    }
  }

  /** Takes one header of a request, and ignores it if it is not read. */
  take(texts, name, value) {
    if (this.#lengths[name.length] !== true) return;
    const places = this.#places.get(name.toLowerCase());
    if (places === undefined) return;
    for (const [place, separator] of places) put(texts, place, value, separator);
  }
}

/** Joins headers that have one place. Values that are not from `Headers` may be lists, so they are made text. */
function put(texts, place, value, separator) {
  texts[place] = texts[place] === undefined ? `${value}` : `${texts[place]}${separator}${value}`;
}

const nameOf = (value) => (typeof value === 'string' && /^[\w.-]+$/.test(value) ? value.toLowerCase() : undefined);

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Returns the parts of a request that the guard reads, one text for each line that the engine takes. The request is a `Request` of the web,
 * Node's `IncomingMessage`, or anything with `method`, `url` and `headers`.
 */
export function textsOf(request, { clientIp, path }, read) {
  const { method, url } = request ?? {};
  if (typeof method !== 'string' || typeof url !== 'string') throw invalid('request', 'expected a Request, or method, url and headers');
  if (clientIp !== undefined && typeof clientIp !== 'string') throw invalid('clientIp', 'expected a string');
  if (path !== undefined && typeof path !== 'string') throw invalid('path', 'expected a string');
  const texts = new Array(read.size).fill(undefined);
  takeHeaders(request, texts, read);
  const isNodes = typeof request.httpVersion === 'string';
  texts[METHOD] = method;
  texts[URL_LINE] = urlOf(request);
  if (path !== undefined) texts[PATH] = targetPathOf(path);
  else if (isNodes && request.baseUrl) texts[PATH] = mountedPathOf(request);
  // A header may hold a list of addresses, and the engine knows how many of them to trust. The other sources are one address.
  if (clientIp !== undefined) texts[CLIENT_IP_HEADER] = undefined;
  if (texts[CLIENT_IP_HEADER] === undefined) texts[CLIENT_IP] = clientIp ?? request.socket?.remoteAddress;
  return texts;
}

/** Returns the URL of a request. In a request of Node, a target with an authority (RFC 9112 §3.2.2) is not trusted: the caller chose the authority. */
export function urlOf({ url, httpVersion }) {
  const isUrl = typeof httpVersion !== 'string' && !url.startsWith('/') && SCHEME.test(url);
  return isUrl ? url : targetPathOf(url);
}

/** Returns path and query of a URL that the platform has written, such as that of a `Request`, without changing a character. */
export function pathOf(url) {
  const rest = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Returns the same of a request target as it came over the wire, which may be anything. Express takes `%61dmin` for the path of
 * `http://x%61dmin`, and Fastify takes `/admin` for the path of `*admin`. So a target must be a path, or begin with an authority whose end
 * is beyond doubt. All others get two slashes in front, which the engine refuses.
 */
export function targetPathOf(target) {
  if (target.startsWith('/')) return target;
  const [, rest] = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?(\/.*)?$/is.exec(target) ?? [target, `//${target}`];
  return rest ?? '/';
}

/** Returns the same of Express's request. In a mounted router, `url` is only the rest of the path. */
export const mountedPathOf = ({ baseUrl = '', url }) => `${baseUrl}${targetPathOf(url)}`;

/** Reads the headers of a request. Each becomes one text, however often it came. */
export function takeHeaders({ method, rawHeaders, headers }, texts, read) {
  // Node's `headers` keeps only the first of two Authorization headers, but two have to be refused.
  if (Array.isArray(rawHeaders)) {
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) read.take(texts, String(rawHeaders[index]), rawHeaders[index + 1]);
  } else if (typeof headers?.get === 'function') {
    const get = ([place, name, separator]) => {
      const value = headers.get(name) ?? undefined;
      if (value !== undefined) put(texts, place, value, separator);
    };
    read.always.forEach(get);
    if (method === 'OPTIONS') OF_PREFLIGHTS.forEach(get);
  } else if (typeof headers !== 'object' || headers === null) {
    throw invalid('request.headers', 'expected Headers or an object');
  } else {
    for (const name of Object.keys(headers)) {
      for (const value of [headers[name]].flat()) {
        if (value !== undefined && value !== null) read.take(texts, name, value);
      }
    }
  }
}

const invalid = (path, problem) =>
  new EdgegateError({ code: 'INVALID_REQUEST', reason: 'invalid_field', message: `${path}: ${problem}`, path });
