// In a process of its own: sends requests for a while over some connections and prints what came of it as JSON.
//
// A request is `{ path, headers }`, with `method` (else `GET`) and `body`. All connections send all requests in turn; with `spread`,
// each has a part of them for itself.

import { createRequire } from 'node:module';

const autocannon = createRequire(import.meta.url)('autocannon');
const { port, seconds, connections, requests, spread = false } = JSON.parse(await new Response(process.stdin).text());

const all = requests.map(({ method = 'GET', path, headers, body }) => ({ method, path, headers, body }));
const share = Math.ceil(all.length / connections);
let begun = 0;

/** The part of the next connection. What `requests` has is copied for each. */
function setupClient(client) {
  client.setRequests(all.slice(begun * share, (begun + 1) * share));
  begun += 1;
}

const result = await autocannon({
  url: `http://127.0.0.1:${port}`,
  connections,
  duration: seconds,
  ...(spread ? { requests: all.slice(0, 1), setupClient } : { requests: all }),
});
console.log(JSON.stringify({
  // Not its average of whole seconds: the first and the last one are short.
  requests: result['2xx'] / result.duration,
  answered: result['2xx'],
  failed: result.non2xx + result.errors + result.timeouts,
  p50_ms: result.latency.p50,
  p99_ms: result.latency.p99,
}));
