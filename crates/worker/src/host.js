// What the Worker asks of JavaScript in one call, where calls and strings one by one would cost more than the deciding.

/**
 * Writes the request into `into`, in lines: its method, these headers in their order (an absent one is an empty line), and its URL.
 * Behind NUL the names of all its headers, in lines. A header cannot contain a line break, and repeated ones come joined with ", ".
 * Returns how many bytes that are; where `into` has no room for them, how many it takes at most, as a negative number.
 *
 * A text that is returned would be taken over character by character, which takes far longer (`docs/gate-profile.md`).
 */
export function read(request, names, into) {
  const { headers } = request;
  let text = request.method;
  for (const name of names) text += `\n${headers.get(name) ?? ''}`;
  text += `\n${request.url}\0${[...headers.keys()].join('\n')}`;
  const { read: characters, written } = UTF8.encodeInto(text, into);
  return characters === text.length ? written : -MAX_BYTES * text.length;
}

/**
 * Writes what the platform knows of where a request comes from into `into`, in lines: country and number of the network operator, latitude
 * and longitude; of one that is told of also where the gate runs, and the beginning of `User-Agent`. Returns how many bytes that are.
 * `request.cf` is made of JSON when it is read first, which takes longer than all else here: so this is no part of `read`.
 */
export function origin(request, isTold, into) {
  const { cf } = request;
  if (!cf && !isTold) return 0;
  const { country, asn, latitude, longitude, colo } = cf ?? {};
  let text = `${country}\n${asn}\n${latitude}\n${longitude}`;
  if (isTold) text += `\n${colo}\n${request.headers.get('User-Agent')?.slice(0, MAX_AGENT) ?? ''}`;
  return UTF8.encodeInto(text, into).written;
}

/** The family of a program is told by a word that never comes later. */
const MAX_AGENT = 512;

const UTF8 = new TextEncoder();
/** Of a character of JavaScript. */
const MAX_BYTES = 3;

/** An answer. `fields` are lines, a name and its value in turn, each with a line break behind it: what has none is not read. */
export function respond(status, fields, body) {
  const answer = new Response(body, { status });
  each(fields, (name, value) => put(answer.headers, name, value));
  return answer;
}

/** Gives an answer of the gate's own those of these fields, in lines as above, that it does not have. */
export function complete(answer, fields) {
  add(answer.headers, fields);
}

/** The request as an application gets it that answers in place of an upstream. */
export function outgoing(request, text) {
  return new Request(...sent(request, planOf(text)));
}

/** Whether a producer of a queue is bound by this name. */
export const hasQueue = (env, name) => typeof env[name]?.sendBatch === 'function';

/** Sends JSON to a queue, and promises that it is kept there. */
export async function sendToQueue(env, name, json) {
  await env[name].send(JSON.parse(json), { contentType: 'json' });
}

/**
 * Passes a request on by its plan (`plan.rs`), and promises the answer as its caller gets it. Nothing is awaited in Rust, which
 * would take longer than the deciding. `asked` is what Rust has to say once an answer or a fault has come.
 */
export async function passOn(request, env, text, asked) {
  try {
    const plan = planOf(text);
    let answer;
    try {
      // A function that waits in between takes a turn of the event loop.
      answer = valid(await (plan.retries ? repeated(request, env, plan) : fetchedOnce(request, env, plan)));
    } catch (fault) {
      return refused(request, plan, fault, asked);
    }
    // Not within: after a trap nothing more is asked of the instance.
    return told(answer, plan, asked);
  } catch (fault) {
    // The runtime would tell this caller alone. Others ask later, and must find the instance gone: asked with the addresses of the
    // old one, a new one would read and free what is not theirs. `entry.js` listens.
    if (fault instanceof WebAssembly.RuntimeError) reportError(fault);
    throw fault;
  }
}

/** The answer where the upstream has failed. */
function refused(request, plan, fault, asked) {
  const refusal = asked.refuse(request, plan.memo, fault === LATE ? undefined : problemOf(fault), plan.timeout);
  set(refusal.headers, cookiesOf(plan, asked));
  add(refusal.headers, plan.added);
  return refusal;
}

/** One line of it: a service that is bound may throw whatever it likes, and the log has to hold it. */
function problemOf(fault) {
  return String(fault).split('\n', 1)[0].slice(0, MAX_PROBLEM);
}

const MAX_PROBLEM = 200;

/** The answer of an application as its caller gets it. */
export function tell(answer, text, asked) {
  return told(valid(answer), planOf(text), asked);
}

/** What is asked in Rust once an answer or a fault has come, and the headers by which caches are told something. */
export function asking(names, amend, refuse, cookies) {
  return { names, amend, refuse, cookies };
}

/** A plan is written by `plan.rs`: parts with NUL between them. */
function planOf(text) {
  const [url, service, timeout, retries, withBody, cache, changes, fields, added, rule, unlessTold, memo, cookies] = text.split('\0');
  return { url, service, timeout: Number(timeout), retries: Number(retries), withBody, cache, changes, fields, added, rule, unlessTold, memo, cookies };
}

/**
 * What `fetch` is called with. A request with content is made from the request itself, since what is made from its parts may have none
 * with GET and HEAD, and `Content-Length: 0` is content here. `cf` of whoever called is not passed on: it could ask for caching.
 */
function sent(request, plan, signal) {
  const { url } = plan;
  const headers = new Headers(request.headers);
  set(headers, plan.changes);
  const cache = plan.cache || undefined;
  const redirect = 'manual';
  if (plan.withBody && request.body !== null) return [new Request(url, request), { headers, redirect, cache, signal, cf: {} }];
  return [url, { method: request.method, headers, redirect, cache, signal }];
}

const LATE = Symbol('no answer in time');

/** Asks the upstream, again where there was no connection. */
async function repeated(request, env, plan) {
  for (let { retries } = plan; ; retries -= 1) {
    try {
      return await fetchedOnce(request, env, plan);
    } catch (fault) {
      if (fault === LATE || retries === 0) throw fault;
    }
  }
}

function fetchedOnce(request, env, plan) {
  return plan.timeout ? within(plan.timeout, (signal) => ask(request, env, plan, signal)) : ask(request, env, plan);
}

function ask(request, env, plan, signal) {
  const [input, init] = sent(request, plan, signal);
  return plan.service ? env[plan.service].fetch(input, init) : fetch(input, init);
}

/** What is asked for, or `LATE`; then it is given up. */
async function within(millis, ask) {
  const controller = new AbortController();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(LATE);
      controller.abort();
    }, millis);
  });
  try {
    return await Promise.race([ask(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** RFC 9110 §15 knows no other status, and the platform can make none. */
function valid(answer) {
  const { status } = answer;
  if (status === 101 || (status >= 200 && status <= 599)) return answer;
  throw `status ${status}, expected 200 to 599`;
}

/**
 * An answer as its caller gets it. Where nothing is to be set, it goes back exactly as it came. So does a switch of protocols, which
 * no cache stores and which cannot be made anew.
 */
function told(answer, plan, asked) {
  if (answer.status === 101) return answer;
  const caching = plan.rule && ofCaches(answer.headers, plan, asked);
  const cookies = cookiesOf(plan, asked);
  if (!caching && !plan.fields && !plan.added && !cookies) return answer;
  const own = changeable(answer);
  // Asked for once: each time it takes as long as half a field that is set.
  const { headers } = own;
  set(headers, plan.fields);
  set(headers, caching);
  set(headers, cookies);
  add(headers, plan.added);
  return own;
}

/** Cookies for an answer that begins now: one that begins late does not set them, which Rust says. */
const cookiesOf = ({ cookies }, asked) => cookies && asked.cookies(cookies);

/** The headers of an answer that was fetched cannot be changed. */
function changeable(answer) {
  try {
    return new Response(answer.body, answer);
  } catch {
    // The status text has characters that the platform makes none with. Nobody acts on it (RFC 9110 §15), and HTTP/2 has none.
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  }
}

/** What caches are to be told: as the plan has it, or as Rust decides where the answer itself tells them something. */
function ofCaches(headers, { rule, unlessTold }, asked) {
  const { names, amend } = asked;
  if (!names.some((name) => headers.has(name))) return unlessTold;
  return amend(rule, names.map((name) => headers.get(name) ?? '').join('\n'));
}

/** Sets fields. One with an empty value is taken out. */
function set(headers, fields) {
  each(fields, (name, value) => {
    if (value === '') headers.delete(name);
    else put(headers, name, value);
  });
}

/** Sets a field in place of what is there; a cookie beside others, which no other field can be (RFC 6265 §3). */
function put(headers, name, value) {
  if (name === 'Set-Cookie') headers.append(name, value);
  else headers.set(name, value);
}

/** Sets those that are not there. One with an empty value is taken out. */
function add(headers, fields) {
  each(fields, (name, value) => {
    if (value === '') headers.delete(name);
    else if (!headers.has(name)) headers.set(name, value);
  });
}

/** Fields one by one, which is quicker than a list of them, or an object that the platform takes apart again. */
function each(fields, step) {
  for (let from = 0; ;) {
    const middle = fields.indexOf('\n', from);
    const end = fields.indexOf('\n', middle + 1);
    if (middle < 0 || end < 0) return;
    step(fields.slice(from, middle), fields.slice(middle + 1, end));
    from = end + 1;
  }
}
