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
