import { Receiver } from './receiver.mjs';

/** Takes mails, as somebody's mailer does. */
export class Mailer extends Receiver {
  status = 202;

  take({ url, headers, body }) {
    this.taken.push({ ...JSON.parse(body), headers, bytes: body, url, status: this.status });
    return [this.status];
  }

  to(email) {
    return this.taken.filter(({ to }) => to === email);
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
