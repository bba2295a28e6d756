// The installed package in a Worker, bundled by wrangler as for a deployment and run by workerd.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Miniflare } from '../miniflare.mjs';
import { CLAIMS, NOW, signBy } from '../node/support.mjs';
import { EXPECTED, NAMES, createProject, program, run, sample } from './project.mjs';

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

/** The folder with the files that wrangler would have uploaded. */
async function bundle(name, text, compatibilityDate) {
  project.write(`${name}.mjs`, text);
  project.write(`${name}.toml`, `name = "${name}"\nmain = "${name}.mjs"\ncompatibility_date = "${compatibilityDate}"\n`);
  const out = project.path(`${name}-out`);
  await run(program('wrangler'), ['deploy', '--dry-run', '--config', `${name}.toml`, '--outdir', out], {
    cwd: project.folder,
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1', HOME: project.folder },
  });
  return out;
}

async function answers(out, main, compatibilityDate, rounds) {
  const modules = readdirSync(out).filter((name) => name.endsWith('.wasm'))
    .map((name) => ({ type: 'CompiledWasm', path: path.join(out, name) }));
  const worker = new Miniflare({
    modules: [{ type: 'ESModule', path: path.join(out, main) }, ...modules], modulesRoot: out, compatibilityDate,
  });
  try {
    const all = [];
    for (let round = 0; round < rounds; round += 1) all.push(await (await worker.dispatchFetch('http://x/')).json());
    return { modules: modules.length, all };
  } finally {
    await worker.dispose();
  }
}

test('wrangler bundles it, and workerd runs it', async () => {
  const token = await signBy('jose', 'RS256', { ...CLAIMS, jti: 'two' });
  const text = `import { ${NAMES} } from 'edgegate';${await sample()}
    const rsa = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: ['RS256'], key: cases[1].pem });
    const rsaSync = () => codeOf(() => rsa.verifySync(${JSON.stringify(token)}));
    export default { fetch: async () => Response.json({ ...await summary(), rsaSync: await rsaSync() }) };`;
  const expected = { ...EXPECTED, rsaSync: 'SYNC_UNSUPPORTED' };
  // The older date is without FinalizationRegistry.
  for (const date of ['2024-01-01', '2026-04-01']) {
    const out = await bundle(`worker-${date}`, text, date);
    assert.deepEqual(await answers(out, `worker-${date}.js`, date, 2), { modules: 1, all: [expected, expected] });
  }
});

test('pure verifies RSA at once', async () => {
  const text = `import { ${NAMES} } from 'edgegate/pure';${await sample()}
    const rsa = createVerifier({ issuer: ${JSON.stringify(CLAIMS.iss)}, algorithms: ['RS256'], key: cases[1].pem, now: () => ${NOW} });
    export default { fetch: async () => Response.json({ ...await summary(), rsaSync: rsa.verifySync(cases[1].token).claims.sub }) };`;
  const out = await bundle('pure', text, '2026-04-01');
  assert.deepEqual(await answers(out, 'pure.js', '2026-04-01', 1), { modules: 1, all: [{ ...EXPECTED, rsaSync: CLAIMS.sub }] });
});

test('slim takes the module that the Worker imports', async () => {
  const text = `import module from 'edgegate/edgegate.wasm';
    import { ${NAMES}, initSync } from 'edgegate/slim';
    ${await sample()}
    initSync(module);
    export default { fetch: async () => Response.json(await summary()) };`;
  const out = await bundle('slim', text, '2026-04-01');
  assert.deepEqual(await answers(out, 'slim.js', '2026-04-01', 1), { modules: 1, all: [EXPECTED] });
});

test('a Worker that is bundled as for browsers is told that Workers compile nothing', async () => {
  const text = `import { createVerifier } from './node_modules/edgegate/inline.js';
    const verifier = createVerifier({ issuer: 'x', algorithms: ['HS256'], key: new Uint8Array(32) });
    export default { fetch: () => verifier.verify('a.b.c').catch(({ code, message }) => Response.json([code, message])) };`;
  const out = await bundle('forbidden', text, '2026-04-01');
  const { all: [[code, message]] } = await answers(out, 'forbidden.js', '2026-04-01', 1);
  assert.equal(code, 'CONFIG_ERROR');
  assert.match(message, /^this host compiles no WebAssembly \(.*\): see "Hosts that forbid WebAssembly" in the README of edgegate$/);
});
