import { bodyOf, idOf } from './gate-admin.js';
import { inCamelCase, text } from './gate-sessions.js';

/** `Gate.accounts` of index.d.ts. */
export class AccountAdministration {
  #ask;

  constructor(ask) {
    this.#ask = async (what, members) => inCamelCase(await ask('accounts', { [what]: members }));
  }

  async create(account) {
    return this.#ask('create', { body: bodyOf(account, ['email', 'password', 'passwordHash', 'scopes', 'verified']) });
  }

  async invite(account) {
    return this.#ask('invite', { body: bodyOf(account, ['email', 'scopes']) });
  }

  async find(email) {
    return this.#ask('find', { email: text(email, 'email') });
  }

  async get(id) {
    return this.#ask('get', { id: idOf(id) });
  }

  async update(id, changes) {
    return this.#ask('update', { id: idOf(id), body: bodyOf(changes, ['disabled', 'password', 'passwordHash', 'scopes', 'dropFactors', 'requireReset']) });
  }

  async delete(id) {
    return this.#ask('delete', { id: idOf(id) });
  }
}
