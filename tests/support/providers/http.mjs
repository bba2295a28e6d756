// Requests as a provider reads them, and the few kinds of answers that it gives.

/** A request: `parameters` are those of the query, or of the form in the body. */
export async function read(request, origin) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  const url = new URL(request.url, origin);
  const type = (request.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  const isForm = type === 'application/x-www-form-urlencoded';
  return {
    method: request.method,
    path: url.pathname,
    headers: request.headers,
    type,
    body,
    query: url.searchParams,
    form: isForm ? new URLSearchParams(body) : new URLSearchParams(),
  };
}

/** Each parameter's value. RFC 6749 §3.1: none may be there twice. */
export function once(parameters) {
  const names = [...parameters.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Refusal('invalid_request', `${twice} is there twice`);
  return Object.fromEntries(parameters);
}

/** Why a provider gives nothing: `error` is the word on the wire. */
export class Refusal extends Error {
  constructor(error, description, status = 400) {
    super(description);
    this.error = error;
    this.status = status;
  }
}

export const json = (status, value, headers = {}) => ({
  status,
  headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  body: JSON.stringify(value),
});

export const form = (status, value) => ({
  status,
  headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' },
  body: new URLSearchParams(value).toString(),
});

export const page = (status, text) => ({
  status,
  headers: { 'Content-Type': 'text/html; charset=utf-8' },
  body: `<!doctype html><title>${escaped(text)}</title><p>${escaped(text)}</p>`,
});

export const nothing = (status) => ({ status, headers: {}, body: '' });

export const redirect = (url, parameters = {}) => {
  const target = new URL(url);
  for (const [name, value] of pairs(parameters)) target.searchParams.append(name, value);
  return { status: 302, headers: { Location: target.href }, body: '' };
};

/** The page that sends itself to the callback: OAuth 2.0 Form Post Response Mode §2. */
export const formPost = (url, parameters) => {
  const inputs = pairs(parameters).map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`);
  return {
    status: 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' },
    body: `<!doctype html><body onload="document.forms[0].submit()"><form method="post" action="${escaped(url)}">${inputs.join('')}</form>`,
  };
};

/** A page with one link, as a provider shows it to whoever has to click on. */
export const linkPage = (url) => ({ ...page(200, 'Sign in'), body: `<!doctype html><a href="${escaped(url)}">Continue</a>` });

/** Without those that are `undefined`. A list has the same name several times. */
const pairs = (parameters) =>
  (Array.isArray(parameters) ? parameters : Object.entries(parameters)).filter(([, value]) => value !== undefined);

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => ENTITIES[letter]);
