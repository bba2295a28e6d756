// A D1 database for tests in Node: real D1 in workerd, asked once for each batch. Miniflare's own proxy asks for each `prepare` and
// `bind` too.

import { Miniflare } from '../miniflare.mjs';

const WORKER = `export default {
  async fetch(request, { DB }) {
    try {
      const statements = await request.json();
      return Response.json(await DB.batch(statements.map(({ sql, parameters }) => DB.prepare(sql).bind(...parameters))));
    } catch ({ message }) {
      return new Response(message, { status: 500 });
    }
  },
};`;

export async function startD1() {
  const mf = new Miniflare({ modules: true, script: WORKER, d1Databases: ['DB'], cf: false });
  await mf.ready;
  const batch = async (statements) => {
    const response = await mf.dispatchFetch('http://d1/', { method: 'POST', body: JSON.stringify(statements) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const statement = (sql, parameters) => ({
    sql,
    parameters,
    bind: (...given) => statement(sql, given),
    all: async () => (await batch([{ sql, parameters }]))[0],
  });
  return { database: { prepare: (sql) => statement(sql, []), batch }, stop: () => mf.dispose() };
}
