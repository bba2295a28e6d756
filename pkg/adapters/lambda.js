import { adapter, isPromise } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { setCookies } from '../lib/cookies.js';

/** `guard` of lambda.d.ts. */
export function guard(gate, handler, options = {}) {
  if (typeof handler !== 'function') throw new TypeError('edgegate: handler: expected a function');
  const { decide, handle, urlOfTarget } = adapter(gate, options);
  return async function edgegate(event, context) {
    const form = formOf(event);
    const late = [];
    try {
      return await answered(form, event, context, (promise, exactly) => { late.push(exactly === undefined ? promise.catch(() => {}) : pause(exactly)); });
    } finally {
      await settled(late);
    }
  };

  async function answered(form, event, context, waitUntil) {
    const path = pathOf(form.path(event));
    const query = form.query(event);
    const request = {
      method: form.method(event), url: urlOfTarget(query === '' ? path : `${path}?${query}`), headers: form.headers(event), socket: { remoteAddress: form.address(event) },
    };
    const handled = handle({ ...request, body: bodyOf(event) }, [event], path, waitUntil);
    const own = handled && await handled;
    if (own !== undefined) return form.result(event, { statusCode: own.status, body: own.body }, own.headers);
    const decided = decide(request, [event], path, waitUntil);
    const decision = isPromise(decided) ? await decided : decided;
    if (!decision.ok) {
      const headers = Object.entries(decision.headers);
      setCookies(decision.cookies, settersOf(headers));
      return form.result(event, { statusCode: decision.status, body: decision.body }, headers);
    }
    const { requestCookie } = decision;
    const rest = requestCookie === undefined ? event : form.withCookie(event, requestCookie);
    return told(await handler(rest, decision.identity, context), decision, event, form);
  }
}

const pause = (millis) => new Promise((resolve) => { setTimeout(resolve, millis); });

/** Waits for what an answer has left to be done, and for what that leaves in turn. The platform stops the process once the answer is out. */
async function settled(late) {
  while (late.length > 0) await Promise.all(late.splice(0));
}

/** The handler's result, with the limits and what caches have to know. */
function told(given, { headers: limits, caching, cookies }, event, form) {
  const result = form.completed(given);
  // What is no result the platform answers with 502.
  if (typeof result !== 'object' || result === null) return result;
  const { headers: single, multiValueHeaders, cookies: own, ...rest } = result;
  const headers = [...pairsOf(single), ...pairsOf(multiValueHeaders), ...(own ?? []).map((value) => ['Set-Cookie', value])];
  const { append, get, remove, set } = settersOf(headers);
  for (const [name, value] of Object.entries(limits)) set(name, value);
  tellCaches(caching, get, set, remove);
  setCookies(cookies, { append, set });
  return form.result(event, rest, headers);
}

const isCookie = (name) => name.toLowerCase() === 'cookie';
const hasCookie = (headers) => Object.keys(headers ?? {}).some(isCookie);
const withoutCookie = (headers) => Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => !isCookie(name)));

const pairsOf = (headers) => Object.entries(headers ?? {}).flatMap(([name, value]) => [value].flat().map((one) => [name, `${one}`]));

/** A list of names and values, as headers are read and set. */
function settersOf(headers) {
  const is = (name) => ([one]) => one.toLowerCase() === name.toLowerCase();
  const remove = (name) => {
    for (let at = headers.findIndex(is(name)); at >= 0; at = headers.findIndex(is(name))) headers.splice(at, 1);
  };
  return {
    get: (name) => headers.filter(is(name)).map(([, value]) => value).join(', '),
    append: (name, value) => headers.push([name, value]),
    set(name, value) {
      remove(name);
      headers.push([name, value]);
    },
    remove,
  };
}

/** Values by name. Of a name that comes in two spellings, the first one stands. */
function grouped(headers) {
  const byName = new Map();
  for (const [name, value] of headers) {
    const folded = name.toLowerCase();
    if (!byName.has(folded)) byName.set(folded, { name, values: [] });
    byName.get(folded).values.push(value);
  }
  return [...byName.values()];
}

const objectOf = (groups, value) => Object.fromEntries(groups.map((group) => [group.name, value(group)]));
const joined = ({ values }) => values.join(', ');

/** Those of a request, as Node has them: a text, or a list where there are several. */
const headersOf = (headers) => Object.fromEntries(grouped(headers).map(({ name, values }) => [name.toLowerCase(), values.length > 1 ? values : values[0]]));

/**
 * HTTP APIs with payload 2.0, and function URLs. Lines of one header are joined by the platform; cookies stand apart, and in function URLs in
 * their header too.
 */
const HTTP_API = {
  method: ({ requestContext }) => requestContext.http.method,
  path: ({ rawPath }) => rawPath,
  query: ({ rawQueryString }) => rawQueryString ?? '',
  headers: ({ headers, cookies }) => headersOf(
    cookies?.length > 0 ? [...pairsOf(withoutCookie(headers)), ...cookies.map((value) => ['cookie', value])] : pairsOf(headers),
  ),
  address: ({ requestContext }) => requestContext.http.sourceIp,
  // The gate's own cookies are no business of the handler.
  withCookie: ({ cookies, headers, ...rest }, cookie) => ({
    ...rest,
    headers: { ...withoutCookie(headers), ...(cookie !== '' && hasCookie(headers) && { cookie }) },
    ...(cookie !== '' && cookies && { cookies: cookie.split('; ') }),
  }),
  // A result without status is the body of a good answer, by the rule of the platform.
  completed: (result) => (result?.statusCode === undefined && result !== undefined
    ? { statusCode: 200, headers: { 'content-type': 'application/json' }, body: typeof result === 'string' ? result : JSON.stringify(result) }
    : result),
  result(_, rest, headers) {
    const groups = grouped(headers);
    const setsCookie = ({ name }) => name.toLowerCase() === 'set-cookie';
    const cookies = groups.filter(setsCookie).flatMap(({ values }) => values);
    return { ...rest, headers: objectOf(groups.filter((group) => !setsCookie(group)), joined), ...(cookies.length > 0 && { cookies }) };
  },
};

const parametersOf = ({ queryStringParameters: single, multiValueQueryStringParameters: multiple }) => pairsOf(multiple ?? single);

/** REST APIs, HTTP APIs with payload 1.0. */
const REST_API = {
  method: ({ httpMethod }) => httpMethod,
  path: ({ path }) => path,
  // The platform has decoded it.
  query: (event) => new URLSearchParams(parametersOf(event)).toString(),
  headers: ({ headers, multiValueHeaders }) => headersOf(pairsOf(multiValueHeaders ?? headers)),
  address: ({ requestContext }) => requestContext?.identity?.sourceIp,
  withCookie: ({ headers, multiValueHeaders, ...rest }, cookie) => ({
    ...rest,
    ...(headers && { headers: { ...withoutCookie(headers), ...(cookie !== '' && { cookie }) } }),
    ...(multiValueHeaders && { multiValueHeaders: { ...withoutCookie(multiValueHeaders), ...(cookie !== '' && { cookie: [cookie] }) } }),
  }),
  completed: (result) => result,
  result: ({ multiValueHeaders, headers: single }, rest, headers) => {
    const groups = grouped(headers);
    if (multiValueHeaders) return { ...rest, multiValueHeaders: objectOf(groups, ({ values }) => values) };
    if (single && groups.some(({ name, values }) => name.toLowerCase() === 'set-cookie' && values.length > 1)) {
      throw new Error('edgegate: several cookies in one answer: turn multi-value headers on at the target group');
    }
    return { ...rest, headers: objectOf(groups, joined) };
  },
};

/** Behind a load balancer the address is the last one of `X-Forwarded-For`, which the balancer itself has added. */
const BALANCER = {
  ...REST_API,
  query: (event) => parametersOf(event).map(([name, value]) => `${name}=${value}`).join('&'),
  address: ({ headers, multiValueHeaders }) => {
    const lines = pairsOf(multiValueHeaders ?? headers).filter(([name]) => name.toLowerCase() === 'x-forwarded-for');
    return lines.at(-1)?.[1].split(',').at(-1).trim();
  },
};

function formOf(event) {
  if (typeof event?.requestContext?.http?.method === 'string' && typeof event.rawPath === 'string') return HTTP_API;
  if (typeof event?.httpMethod === 'string' && typeof event.path === 'string') return event.requestContext?.elb === undefined ? REST_API : BALANCER;
  throw new TypeError('edgegate: expected an event of API Gateway, a function URL or a load balancer');
}

/**
 * Returns the path that the handler routes by, in the spelling of a URL. The platform has decoded some of it, or nothing. A handler that
 * makes a URL of it would lose what begins with `?` or `#`, and a blank at the end. The engine refuses two slashes in front.
 */
function pathOf(path) {
  const spelled = encodeURI(path.toWellFormed?.() ?? path).replaceAll('%25', '%');
  return /[?#]| $/.test(path) ? `//${spelled}` : spelled;
}

function bodyOf({ body, isBase64Encoded }) {
  if (typeof body !== 'string') return undefined;
  return isBase64Encoded === true ? Uint8Array.from(atob(body), (character) => character.charCodeAt(0)) : body;
}
