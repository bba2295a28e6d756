import { EdgegateError } from './errors.js';
import {
  ACCEPT, API_KEY, AUTHORIZATION, CLIENT_IP, CLIENT_IP_HEADER, COOKIE, DPOP, FETCH_SITE, FIELDS, METHOD, ORIGIN, PATH,
  REQUESTED_HEADERS, REQUESTED_METHOD, UPGRADE, URL_LINE,
} from './protocol.js';

/** Headers that the guard looks at: where each stands, and how a repeated one reads (RFC 9110 §5.3; cookies RFC 6265 §5.4). */
const HEADERS = [
  [AUTHORIZATION, 'authorization', ', '],
  [DPOP, 'dpop', ', '],
  [COOKIE, 'cookie', '; '],
  [ACCEPT, 'accept', ', '],
  [ORIGIN, 'origin', ', '],
];
/** Which page sends a request, and whether it opens a WebSocket: that counts only where a cookie can decide. */
const OF_PAGES = [
  [FETCH_SITE, 'sec-fetch-site', ', '],
  [UPGRADE, 'upgrade', ', '],
  // Proxies that ask about a WebSocket keep `Upgrade` to themselves, but not this.
  [UPGRADE, 'sec-websocket-version', ', '],
];
const OF_PREFLIGHTS = [
  [REQUESTED_METHOD, 'access-control-request-method', ', '],
  [REQUESTED_HEADERS, 'access-control-request-headers', ', '],
];

/** The headers that are read for one policy. It is made once, so that a request costs no more than its own headers. */
export class HeadersRead {
  #places = new Map();
  /** Whether one that is read has a name of this length: most have not, and need not be compared. */
  #lengths = [];

  /** What is faulty in the policy the engine says. `clientIpHeader` is the one that holds the client's address, if any does. */
  constructor(policy = {}, clientIpHeader = undefined) {
    const listed = Array.isArray(policy.credential_headers) ? policy.credential_headers : [];
    const credentials = listed.map((header) => nameOf(header?.name)).filter((name) => name !== undefined);
    /** How many lines there are. */
    this.size = FIELDS + credentials.length;
    this.always = [
      ...HEADERS,
      ...(policy.cookie === undefined && policy.sessions === undefined ? [] : OF_PAGES),
      [API_KEY, nameOf(policy.api_keys?.header) ?? 'x-api-key', ', '],
      ...credentials.map((name, index) => [FIELDS + index, name, ', ']),
    ];
    if (typeof clientIpHeader === 'string') this.always.push([CLIENT_IP_HEADER, clientIpHeader.toLowerCase(), ', ']);
    for (const [place, name, separator] of [...this.always, ...OF_PREFLIGHTS]) {
      this.#places.set(name, [...(this.#places.get(name) ?? []), [place, separator]]);
      this.#lengths[name.length] = true;
    }
  }

  /** Takes one header of a request, which may not be one that is read. */
  take(texts, name, value) {
    if (this.#lengths[name.length] !== true) return;
    const places = this.#places.get(name.toLowerCase());
    if (places === undefined) return;
    for (const [place, separator] of places) put(texts, place, value, separator);
  }
}

/** Two headers may have one place. Others than `Headers` have lists, which would go by the engine's lines as they are. */
function put(texts, place, value, separator) {
  texts[place] = texts[place] === undefined ? `${value}` : `${texts[place]}${separator}${value}`;
}

const nameOf = (value) => (typeof value === 'string' && /^[\w.-]+$/.test(value) ? value.toLowerCase() : undefined);

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * The parts of a request that the guard reads, as texts for the lines that the engine takes: a `Request` of the web, Node's
 * `IncomingMessage`, or anything with `method`, `url` and `headers`.
 */
export function textsOf(request, { clientIp, path }, read) {
  const { method, url } = request ?? {};
  if (typeof method !== 'string' || typeof url !== 'string') throw invalid('request', 'expected a Request, or method, url and headers');
  if (clientIp !== undefined && typeof clientIp !== 'string') throw invalid('clientIp', 'expected a string');
  if (path !== undefined && typeof path !== 'string') throw invalid('path', 'expected a string');
  const texts = new Array(read.size).fill(undefined);
  takeHeaders(request, texts, read);
  const isNodes = typeof request.httpVersion === 'string';
  // In Node's own request a target with an authority (RFC 9112 §3.2.2) has the one that the caller chose.
  const isUrl = !isNodes && !url.startsWith('/') && SCHEME.test(url);
  texts[METHOD] = method;
  texts[URL_LINE] = isUrl ? url : targetPathOf(url);
  if (path !== undefined) texts[PATH] = targetPathOf(path);
  else if (isNodes && request.baseUrl) texts[PATH] = mountedPathOf(request);
  // A header may hold a list, and the engine knows how many of it to trust; the others are one address.
  if (clientIp !== undefined) texts[CLIENT_IP_HEADER] = undefined;
  if (texts[CLIENT_IP_HEADER] === undefined) texts[CLIENT_IP] = clientIp ?? request.socket?.remoteAddress;
  return texts;
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

function takeHeaders({ method, rawHeaders, headers }, texts, read) {
  // Node's own object keeps the first of two Authorization headers; two are to be refused.
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
