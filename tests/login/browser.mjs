// A browser without pages: it keeps cookies as browsers do, follows redirects, sends forms, and says with each request where it comes from.
//
// Rules: RFC 6265bis §4.1.3 (prefixes), §5.6 and §5.7 (storage), §5.8.3 (SameSite); Fetch Metadata Request Headers.

import http from 'node:http';

const MAX_REDIRECTS = 20;

/** What a jar does with `Set-Cookie` and sends as `Cookie`. */
export class CookieJar {
  #cookies = [];

  /** Takes one in, or does not. Returns whether it did. */
  set(line, url) {
    const [pair, ...rest] = line.split(';').map((part) => part.trim());
    const equals = pair.indexOf('=');
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    const attributes = Object.fromEntries(rest.map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [part.toLowerCase(), true] : [part.slice(0, at).toLowerCase(), part.slice(at + 1)];
    }));
    const { hostname, protocol, pathname } = new URL(url);
    const isSecure = protocol === 'https:' || hostname === '127.0.0.1' || hostname === 'localhost';
    const domain = typeof attributes.domain === 'string' ? attributes.domain.replace(/^\./, '').toLowerCase() : undefined;
    const path = typeof attributes.path === 'string' && attributes.path.startsWith('/') ? attributes.path : folderOf(pathname);
    if (equals < 1 || pair.length > 4096) return false;
    if (domain !== undefined && hostname !== domain && !hostname.endsWith(`.${domain}`)) return false;
    if (attributes.secure && !isSecure) return false;
    const prefix = name.toLowerCase();
    if (prefix.startsWith('__secure-') && !attributes.secure) return false;
    if (prefix.startsWith('__host-') && (!attributes.secure || domain !== undefined || path !== '/')) return false;
    const sameSite = String(attributes.samesite ?? 'lax').toLowerCase();
    if (sameSite === 'none' && !attributes.secure) return false;
    const same = (one) => one.name === name && one.host === (domain ?? hostname) && one.path === path;
    this.#cookies = this.#cookies.filter((one) => !same(one));
    const seconds = attributes['max-age'] === undefined ? undefined : Number(attributes['max-age']);
    const ends = seconds !== undefined ? Date.now() + seconds * 1000 : attributes.expires ? Date.parse(attributes.expires) : Infinity;
    if (ends <= Date.now()) return true;
    const isSession = ends === Infinity;
    this.#cookies.push({
      name, value, host: domain ?? hostname, isHostOnly: domain === undefined, path, isSecure: attributes.secure === true, sameSite, ends, isSession,
      isHttpOnly: attributes.httponly === true,
    });
    return true;
  }

  /** The header for a request. `isCrossSite`: it was begun by a page of another site; `isLax`: it is a navigation by a safe method. */
  header(url, { isCrossSite = false, isLax = false } = {}) {
    const { hostname, protocol, pathname } = new URL(url);
    const isSecure = protocol === 'https:' || hostname === '127.0.0.1' || hostname === 'localhost';
    const goes = (one) => (one.isHostOnly ? hostname === one.host : hostname === one.host || hostname.endsWith(`.${one.host}`))
      && (pathname === one.path || pathname.startsWith(one.path.endsWith('/') ? one.path : `${one.path}/`))
      && (!one.isSecure || isSecure)
      && one.ends > Date.now()
      && (!isCrossSite || one.sameSite === 'none' || (one.sameSite === 'lax' && isLax));
    return this.#cookies.filter(goes).map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  get(name) {
    return this.#cookies.find((one) => one.name === name);
  }

  /** Removes one, as a user or a browser's own rules do. */
  drop(name) {
    this.#cookies = this.#cookies.filter((one) => one.name !== name);
  }

  /** Ends the browser's session: cookies without an end of their own go. */
  close() {
    this.#cookies = this.#cookies.filter((one) => !one.isSession);
  }

  get all() {
    return [...this.#cookies];
  }
}

const folderOf = (path) => path.slice(0, Math.max(path.lastIndexOf('/'), 1)) || '/';

/** Two labels of the host, and the scheme; an address is a site by itself. */
const siteOf = (url) => {
  const { protocol, hostname } = new URL(url);
  return `${protocol}//${/^[\d.]+$|^\[/.test(hostname) ? hostname : hostname.split('.').slice(-2).join('.')}`;
};

/** `Sec-Fetch-Site`: how far the farthest of all URLs of a chain of redirects is from where it was begun. */
function relation(from, urls) {
  if (from === undefined) return 'none';
  if (urls.some((url) => siteOf(url) !== siteOf(from))) return 'cross-site';
  return urls.every((url) => new URL(url).origin === new URL(from).origin) ? 'same-origin' : 'same-site';
}

export class Browser {
  jar = new CookieJar();

  /** `hosts`: the ports of origins that are not where their URL says. `ip`: what the platform says of the browser. */
  constructor({ hosts = {}, ip = '192.0.2.1', headers = {} } = {}) {
    this.hosts = hosts;
    this.ip = ip;
    this.headers = headers;
  }

  tab() {
    return new Tab(this);
  }

  /** One request, with the cookies and headers that a browser sends. It follows nothing. */
  async send(url, { method = 'GET', body, from, chain = [], mode = 'navigate', dest = 'document', headers = {} } = {}) {
    const target = new URL(url);
    const isCrossSite = from !== undefined && siteOf(from) !== siteOf(url);
    const isNavigation = mode === 'navigate';
    const cookie = this.jar.header(url, { isCrossSite, isLax: isNavigation && ['GET', 'HEAD'].includes(method) });
    const isUnsafe = !['GET', 'HEAD'].includes(method);
    const sent = {
      Host: target.host,
      Accept: isNavigation ? 'text/html,application/xhtml+xml,*/*;q=0.8' : '*/*',
      'User-Agent': 'Mozilla/5.0 (test)',
      'Sec-Fetch-Site': relation(from, [...chain, url]),
      'Sec-Fetch-Mode': mode,
      'Sec-Fetch-Dest': dest,
      ...(isNavigation ? { 'Sec-Fetch-User': '?1' } : {}),
      ...(cookie ? { Cookie: cookie } : {}),
      ...((isUnsafe || mode === 'cors') && from !== undefined ? { Origin: new URL(from).origin } : {}),
      ...(body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) }),
      ...(this.hosts[target.origin] === undefined ? {} : { 'CF-Connecting-IP': this.ip }),
      ...this.headers,
      ...headers,
    };
    const port = this.hosts[target.origin] ?? target.port;
    const answer = await new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port, method, path: target.pathname + target.search, headers: sent, agent: false }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') }));
      });
      request.on('error', reject);
      request.end(body);
    });
    const refusedCookies = [answer.headers['set-cookie'] ?? []].flat().filter((line) => !this.jar.set(line, url));
    return { ...answer, url, method, sent, refusedCookies };
  }
}

/** A tab: where it is, and how it came there. */
export class Tab {
  /** Every answer of the last navigation. */
  trail = [];

  constructor(browser) {
    this.browser = browser;
  }

  /** Where it stands. */
  get url() {
    return this.trail.at(-1)?.url;
  }

  get page() {
    return this.trail.at(-1);
  }

  /** Types a URL into the address bar, and follows redirects. `until`: stops at the first answer for which this is true. */
  open(url, options = {}) {
    return this.#navigate(url, { ...options, from: undefined });
  }

  /** Follows a link of the page, or a redirect that a script makes. */
  click(url, options = {}) {
    return this.#navigate(new URL(url, this.url).href, { from: this.url, ...options });
  }

  /** Sends the first form of the page, with these fields beside its own, by its first button or the one that has this text in its tag. */
  submit(more = {}, { button: wanted = '', ...options } = {}) {
    const form = /<form\b([^>]*)>([\s\S]*?)(<\/form>|$)/i.exec(this.page.text);
    if (!form) throw new Error(`the page at ${this.url} has no form:\n${this.page.text.slice(0, 500)}`);
    const attribute = (text, name) => unescaped(new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(text)?.[1]);
    const tags = (name) => [...form[2].matchAll(new RegExp(`<${name}\\b[^>]*>`, 'gi'))].map(([tag]) => tag);
    const isSent = (tag) => !/type="(checkbox|radio)"/i.test(tag) || /\bchecked\b/i.test(tag);
    const button = tags('button').find((tag) => tag.includes(wanted)) ?? '';
    const sent = [...tags('input').filter(isSent), button].map((tag) => [attribute(tag, 'name'), attribute(tag, 'value') ?? '']);
    const fields = new URLSearchParams(sent.filter(([name]) => name));
    for (const [name, value] of Object.entries(more)) fields.set(name, value);
    const target = new URL(attribute(button, 'formaction') ?? (attribute(form[1], 'action') || this.url), this.url);
    const method = (attribute(form[1], 'method') ?? 'get').toUpperCase();
    if (method === 'GET') {
      target.search = fields.toString();
      return this.#navigate(target.href, { from: this.url, ...options });
    }
    return this.#navigate(target.href, { from: this.url, method, body: fields.toString(), ...options });
  }

  /** The links of the page. */
  get links() {
    return [...this.page.text.matchAll(/<a\b[^>]*\bhref="([^"]*)"/gi)].map(([, href]) => unescaped(href));
  }

  /** A request by a script of the page. */
  fetch(url, options = {}) {
    return this.browser.send(new URL(url, this.url).href, { from: this.url, mode: 'cors', dest: 'empty', ...options });
  }

  async #navigate(url, { from, method = 'GET', body, until = () => false, headers } = {}) {
    this.trail = [];
    const chain = [];
    let [next, verb, content] = [url, method, body];
    for (let count = 0; count <= MAX_REDIRECTS; count += 1) {
      const answer = await this.browser.send(next, { method: verb, body: content, from, chain, headers });
      this.trail.push(answer);
      const { location } = answer.headers;
      if (answer.status < 300 || answer.status >= 400 || location === undefined || until(answer)) return answer;
      chain.push(next);
      next = new URL(location, next).href;
      // Only 307 and 308 send the body again.
      if (![307, 308].includes(answer.status) && verb !== 'HEAD') [verb, content] = ['GET', undefined];
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects:\n${this.trail.map((one) => `${one.status} ${one.url}`).join('\n')}`);
  }
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Text without the references of HTML. */
const unescaped = (text) => text?.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, number, name) => {
  if (name !== undefined) return NAMED[name] ?? whole;
  return String.fromCodePoint(hex === undefined ? Number(number) : Number.parseInt(hex, 16));
});
