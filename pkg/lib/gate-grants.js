import { checkNames } from './check.js';
import { inCamelCase, text } from './gate-sessions.js';

/** `Gate.grants` of index.d.ts. */
export class GrantAdministration {
  #ask;

  constructor(ask) {
    this.#ask = async (what, members) => inCamelCase(await ask('grants', { [what]: members }));
  }

  async token(identity, provider, options = {}) {
    checkNames(options, ['account'], '');
    const { issuer, subject, claims } = identity ?? {};
    const session = typeof claims?.sid === 'string' ? claims.sid : undefined;
    const account = options.account === undefined ? undefined : text(options.account, 'account');
    return this.#ask('token', { issuer, subject, session, provider: text(provider, 'provider'), account });
  }

  async list(subject) {
    const { grants } = await this.#ask('list', { subject: text(subject, 'subject') });
    return grants;
  }

  async end(subject, which = {}) {
    checkNames(which, ['provider', 'account'], '');
    const { provider, account } = which;
    return this.#ask('end', {
      subject: text(subject, 'subject'),
      provider: provider === undefined ? undefined : text(provider, 'provider'),
      account: account === undefined ? undefined : text(account, 'account'),
    });
  }
}
