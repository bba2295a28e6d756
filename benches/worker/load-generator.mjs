// In a process of its own: sends requests for a while over some connections and prints what came of it as JSON.

import { createRequire } from 'node:module';

const autocannon = createRequire(import.meta.url)('autocannon');
const { port, seconds, connections, requests } = JSON.parse(await new Response(process.stdin).text());

const result = await autocannon({
  url: `http://127.0.0.1:${port}`,
  connections,
  duration: seconds,
  requests: requests.map(({ path, headers }) => ({ method: 'GET', path, headers })),
});
console.log(JSON.stringify({
  // Not its average of whole seconds: the first and the last one are short.
  requests: result['2xx'] / result.duration,
  answered: result['2xx'],
  failed: result.non2xx + result.errors + result.timeouts,
  p50_ms: result.latency.p50,
  p99_ms: result.latency.p99,
}));
