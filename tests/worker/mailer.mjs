import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Takes mails, as somebody's mailer does. */
export class Mailer {
  taken = [];
  status = 202;
  #server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    this.taken.push({ ...JSON.parse(text), headers: request.headers, bytes: text, url: request.url, status: this.status });
    response.writeHead(this.status).end();
  });

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  to(email) {
    return this.taken.filter(({ to }) => to === email);
  }

  /** Waits until something has come. */
  async until(isThere, what = 'mail') {
    for (let tries = 0; tries < 200; tries += 1) {
      if (isThere()) return;
      await sleep(50);
    }
    throw new Error(`no ${what}: ${JSON.stringify(this.taken.slice(-5))}`);
  }

  /** The mails to this address that have a link, once there are so many: those about changes have none. */
  async links(email, count = 1) {
    const found = () => this.to(email).filter(({ link }) => link !== undefined);
    await this.until(() => found().length >= count, `link to ${email}`);
    return found();
  }

  /** The mails to this address, once there are so many. */
  async next(email, count = 1) {
    await this.until(() => this.to(email).length >= count, `mail to ${email}`);
    return this.to(email);
  }
}
