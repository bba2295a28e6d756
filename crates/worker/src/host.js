// What the Worker asks of JavaScript in one call, where calls and strings one by one would cost more than the deciding.

/**
 * The request in lines: its method, these headers in their order (an absent one is an empty line), and its URL. A
 * header cannot contain a line break, and repeated ones come joined with ", ".
 */
export function read(request, names) {
  const { headers } = request;
  let text = request.method;
  for (const name of names) text += `\n${headers.get(name) ?? ''}`;
  return `${text}\n${request.url}`;
}

/** An answer. `fields` are lines, a name and its value in turn. */
export function respond(status, fields, body) {
  const answer = new Response(body, { status });
  // One by one is quicker than an object of them, which the platform takes apart again.
  const { headers } = answer;
  const lines = fields.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) set(headers, lines[i], lines[i + 1]);
  return answer;
}

/**
 * The request as it goes on to this URL, with headers of its own. Made from the request itself, since what is made from
 * its parts may have no body with GET and HEAD, and `Content-Length: 0` is a body here. `cf` of whoever called is not
 * passed on: it could ask for caching. With `signal` it can be given up.
 */
export function readdress(request, url, withBody, cache, signal) {
  const { method, headers } = request;
  const given = withBody ? new Request(url, request) : new Request(url, { method, headers });
  const outgoing = new Request(given, { redirect: 'manual', cf: {}, ...(cache && { cache }), ...(signal && { signal }) });
  // For caches that are not the platform's. A caller's own `max-stale` or `only-if-cached` does not count.
  if (cache) outgoing.headers.set('Cache-Control', 'no-cache, no-store');
  return outgoing;
}

/** Headers of an answer, in lines. */
export function readAnswer(answer, names) {
  const { headers } = answer;
  return names.map((name) => headers.get(name) ?? '').join('\n');
}

/** The answer with these fields, in lines as above, in place of its own. One with an empty value is taken out. */
export function amend(answer, fields) {
  const amended = new Response(answer.body, answer);
  const { headers } = amended;
  const lines = fields.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    if (lines[i + 1] === '') headers.delete(lines[i]);
    else set(headers, lines[i], lines[i + 1]);
  }
  return amended;
}

/** The answer with those of these fields, in lines as above, that it does not have. One with an empty value is taken out. */
export function complete(answer, fields) {
  const completed = new Response(answer.body, answer);
  const { headers } = completed;
  const lines = fields.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    if (lines[i + 1] === '') headers.delete(lines[i]);
    else if (!headers.has(lines[i])) headers.set(lines[i], lines[i + 1]);
  }
  return completed;
}

/** Sets a field in place of what is there. A cookie is set beside others, the only field that cannot be one (RFC 6265 §3). */
function set(headers, name, value) {
  if (name === 'Set-Cookie') headers.append(name, value);
  else headers.set(name, value);
}
