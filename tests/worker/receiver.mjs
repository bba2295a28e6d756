// A server that takes what the gate sends: mails, and events of the watch.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export class Receiver {
  /** What was sent, in its order. */
  taken = [];
  #server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url, headers } = request;
    const [status, fields = {}, text] = this.take({ url, headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(status, fields).end(text);
  });

  /** Keeps what was sent. Returns what is answered: status, headers and body. */
  take(sent) {
    this.taken.push(sent);
    return [202];
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
    this.host = `127.0.0.1:${this.#server.address().port}`;
    this.origin = `http://${this.host}`;
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Waits until something has come. */
  async until(isThere, what = 'such thing', millis = 15_000) {
    for (const end = Date.now() + millis; Date.now() < end; await sleep(50)) {
      if (isThere()) return;
    }
    throw new Error(`no ${what}: ${JSON.stringify(this.taken.slice(-5))}`);
  }

  /** The first one of these, once it is there. */
  async find(wanted, millis) {
    await this.until(() => this.taken.some(wanted), undefined, millis);
    return this.taken.find(wanted);
  }
}
