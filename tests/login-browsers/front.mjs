// Where TLS ends in front of a subject. It stands for the browser's clock as well: a cookie that has expired by the moved clock goes no further.

import { page } from './network.mjs';
import { passOn } from './pass-on.mjs';

/** A page of the site that has a service worker, as many applications have. */
const REGISTER = page('register', `<script>
  navigator.serviceWorker.register('/__worker.js').then(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => { setTimeout(resolve, 20); });
    document.title = 'registered';
  }).catch((error) => { document.title = 'refused: ' + error; });
</script>`);
const WORKER = `
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));
`;

export class Front {
  /** Milliseconds that the clock is ahead. */
  ahead = 0;
  /** Whether the answer to the next callback gets lost. */
  losesCallback = false;
  /** The longest `Cookie` header, in bytes. */
  cookieBytes = 0;
  /** Names of cookies that go no further until the callback has been there: of a session, so that somebody has to log in again. */
  hides;
  #cookies = new Map();

  constructor(subject, running) {
    this.callback = new URL(subject.callback).pathname;
    this.running = running;
    this.handle = this.handle.bind(this);
  }

  /** As new, for the next person. */
  reset(ahead = 0) {
    this.ahead = ahead;
    this.losesCallback = false;
    this.cookieBytes = 0;
    this.hides = undefined;
    this.callbacks = [];
    this.#cookies.clear();
  }

  handle(request, response) {
    // Not by a parser: some paths are made to mislead it.
    const [pathname] = request.url.split('?');
    const html = response.setHeader.bind(response, 'Content-Type', 'text/html');
    if (pathname === '/favicon.ico') return response.writeHead(204).end();
    if (pathname === '/__register') return html().end(REGISTER);
    if (pathname === '/__worker.js') return response.setHeader('Content-Type', 'text/javascript').end(WORKER);
    if (pathname === '/__forget') return html().setHeader('Set-Cookie', this.#forgetting()).end(page('forgotten'));
    if (pathname === this.callback) this.callbacks.push(request.url);
    this.cookieBytes = Math.max(this.cookieBytes, request.headers.cookie?.length ?? 0);
    const isLost = this.losesCallback && pathname === this.callback;
    if (isLost) this.losesCallback = false;
    return passOn(this.running.port(), request, response, {
      cookie: this.#unexpired(request.headers.cookie),
      onAnswer: (answer) => {
        this.#remember(answer.headers['set-cookie'] ?? [], pathname);
        if (pathname === this.callback) this.hides = undefined;
        // The subject has done its part, and the browser learns nothing of it, not even cookies.
        if (isLost) response.socket.destroy();
      },
    });
  }

  #unexpired(header) {
    if (header === undefined) return undefined;
    const isExpired = (name) => Date.now() + this.ahead > (this.#cookies.get(name)?.expires ?? Infinity);
    const goesOn = (pair) => {
      const name = pair.split('=')[0].trim();
      return !isExpired(name) && !this.hides?.test(name);
    };
    return header.split(';').filter(goesOn).join(';').trim();
  }

  #remember(set, pathname) {
    for (const line of set) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const attribute = (name) => attributes.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
      const [maxAge, until] = [attribute('max-age'), attribute('expires')];
      const now = Date.now() + this.ahead;
      let expires = Infinity;
      if (maxAge !== undefined) expires = now + Number(maxAge) * 1000;
      else if (until !== undefined) expires = Date.parse(until);
      this.#cookies.set(pair.split('=')[0], { expires, path: attribute('path') ?? pathname });
    }
  }

  /** What removes every cookie that the subject has set. */
  #forgetting() {
    return [...this.#cookies].map(([name, { path }]) => `${name}=; Path=${path}; Max-Age=0; Secure`);
  }
}
