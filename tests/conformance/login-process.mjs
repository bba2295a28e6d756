// The application of login-application.mjs in Deno and Bun. Arguments: the package's entry, the port, and the rest as JSON.

import { guard } from '../../pkg/wasm/fetch.js';
import { application } from './login-application.mjs';

const [entry, port, data] = process.argv.slice(2);
const serve = application(await import(entry), guard, JSON.parse(data));
const place = { port: Number(port), hostname: '127.0.0.1' };
if (globalThis.Deno) globalThis.Deno.serve({ ...place, onListen: () => console.log('ready') }, serve);
else {
  globalThis.Bun.serve({ ...place, fetch: serve });
  console.log('ready');
}
