/** Calls `step` after the handler has set its headers, just before they go out. Node has no event for this. */
export function beforeHeaders(response, step) {
  const { writeHead } = response;
  response.writeHead = function writeHeadAfterStep(...given) {
    response.writeHead = writeHead;
    const fields = given.at(-1);
    if (Array.isArray(fields)) setHeaderList(response, given.pop());
    else if (typeof fields === 'object' && fields !== null) setHeaders(response, given.pop());
    step();
    return writeHead.apply(this, given);
  };
}

/** Fields that several speakers add to. */
const SHARED = ['vary', 'set-cookie'];

/**
 * Sets the headers of an answer that is the gate's own, from a list of names and values, in which a name may come twice. What something
 * before has set of these names is removed, but where several may speak.
 */
export function setOwnHeaders(headers, { append, set }) {
  const said = new Set(SHARED);
  for (const [name, value] of headers) {
    const folded = name.toLowerCase();
    if (said.has(folded)) append(name, value);
    else set(name, value);
    said.add(folded);
  }
}

export function setHeaders(response, headers) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/**
 * Sets headers from a list of names and values by turns, or of pairs, as `writeHead` takes them. A name may come twice. Older values of
 * these names are removed.
 */
function setHeaderList(response, list) {
  const flat = Array.isArray(list[0]) ? list.flat() : list;
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []));
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) response.appendHeader(name, value);
}
