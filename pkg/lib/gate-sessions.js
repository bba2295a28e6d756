import { expectedName } from './check.js';
import { EdgegateError } from './errors.js';

/** No more is read: the engine refuses less than that. */
const MAX_BODY = 64 * 1024;

const CORE_NAMES = {
  clientId: 'client_id', authTime: 'auth_time', dpopJkt: 'dpop_jkt',
};
const OPENED = ['subject', 'scopes', 'remember', 'audience', 'amr', 'acr', 'claims', 'label', 'ticket', 'existing', ...Object.keys(CORE_NAMES)];
const camelCase = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** `Gate.sessions` of index.d.ts. */
export class SessionAdministration {
  #ask;

  constructor(ask) {
    this.#ask = async (what, members) => inCamelCase(await ask('sessions', { [what]: members }));
  }

  async open(session, { agent, network } = {}) {
    if (typeof session !== 'object' || session === null) throw invalid('', 'expected an object');
    const body = {};
    for (const [name, value] of Object.entries(session)) {
      if (!OPENED.includes(name)) throw invalid(name, `is not a known field, expected ${expectedName(OPENED, name)}`);
      if (value !== undefined) body[CORE_NAMES[name] ?? name] = value;
    }
    return this.#ask('open', { body, agent, network });
  }

  async list(subject) {
    const { sessions } = await this.#ask('list', { subject: text(subject, 'subject') });
    return sessions;
  }

  end(subject, id) {
    return this.#of('end', subject, id);
  }

  endOthers(subject, id) {
    return this.#of('endOthers', subject, id);
  }

  async endAll(subject) {
    return this.#ask('endAll', { subject: text(subject, 'subject') });
  }

  async narrow(subject, id, scopes) {
    await this.#ask('narrow', { id: text(id, 'id'), body: { subject: text(subject, 'subject'), scopes } });
  }

  async disable(subject) {
    await this.#ask('disable', { body: { subject: text(subject, 'subject') } });
  }

  async enable(subject) {
    await this.#ask('enable', { body: { subject: text(subject, 'subject') } });
  }

  async forget(subject) {
    await this.#ask('forget', { subject: text(subject, 'subject') });
  }

  async #of(what, subject, id) {
    return this.#ask(what, { subject: text(subject, 'subject'), id: text(id, 'id') });
  }
}

/** The claims of a caller stay as they are; there are none in what the core tells of sessions. */
export function inCamelCase(value) {
  if (Array.isArray(value)) return value.map(inCamelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [camelCase(name), inCamelCase(member)]));
}

export function text(value, path) {
  if (typeof value !== 'string' || value === '') throw invalid(path, 'expected a string');
  return value;
}

function headerOf({ headers }, name) {
  const found = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name];
  return typeof found === 'string' ? found : undefined;
}

/**
 * The lines behind those of a request for an endpoint (`More` in crates/engine/src/gate/own_endpoint.rs). `body` is missing until it has been
 * read.
 */
export const moreOf = (request, body) => [body === undefined ? undefined : '1', body, headerOf(request, 'user-agent'), headerOf(request, 'content-type')];

/** The body of a request as text: one that a framework has read already, that of a `Request`, or that of Node's stream. */
export async function bodyOf(request) {
  const { body } = request;
  if (typeof body?.getReader === 'function') return collected(body.values?.() ?? body);
  if (typeof body === 'string') return bounded(body);
  if (ArrayBuffer.isView(body)) return bounded(new TextDecoder().decode(body));
  if (typeof body === 'object' && body !== null) return bounded(written(request, body));
  if (typeof request[Symbol.asyncIterator] === 'function') return collected(request);
  return '';
}

/** What a parser of the framework has made of it, as it was sent. */
function written({ headers }, body) {
  const isForm = /^application\/x-www-form-urlencoded/i.test(headers?.['content-type'] ?? '');
  if (!isForm) return JSON.stringify(body);
  const pairs = Object.entries(body).flatMap(([name, value]) => [value].flat().map((one) => [name, `${one}`]));
  return new URLSearchParams(pairs).toString();
}

async function collected(chunks) {
  const parts = [];
  let length = 0;
  for await (const chunk of chunks) {
    const part = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    length += part.length;
    parts.push(part);
    if (length > MAX_BODY) break;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new TextDecoder().decode(whole);
}

const bounded = (body) => body.slice(0, MAX_BODY);

/** The answer of an endpoint. A header may come twice, so they are a list. */
export function handled({ status, headers, body }) {
  return {
    status, headers, body,
    response: () => new Response(body === '' ? null : body, { status, headers }),
  };
}

const invalid = (path, problem) => new EdgegateError({
  code: 'INVALID_REQUEST', reason: 'invalid_field', message: path ? `${path}: ${problem}` : problem, path: path || undefined,
});
