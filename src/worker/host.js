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
  for (let i = 0; i + 1 < lines.length; i += 2) headers.set(lines[i], lines[i + 1]);
  return answer;
}
