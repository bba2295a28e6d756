// The declarations, as TypeScript reads them from a project of its own.

import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, compiles, createProject, run } from './project.mjs';

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

test('tsc --strict takes a sample, and refuses what is wrong in it', async () => {
  const text = `
    import { createGate, createVerifier, createApiKeys, decodeUnverified, importKey, memoryStore, verifyJws, ready, EdgegateError, type AccountMail, type ErrorCode, type GateEvent, type VerifiedToken } from 'edgegate';
    import { init, initSync } from 'edgegate/slim';
    import { createVerifier as createPure } from 'edgegate/pure';

    interface Mine { tenant: string; roles?: string[] }
    const verifier = createVerifier({
      issuer: 'https://issuer.test/', audience: ['a', 'b'], algorithms: ['RS256', 'EdDSA'], jwksUri: 'https://issuer.test/jwks',
      clockTolerance: 5, requiredClaims: ['sub'], typ: 'at+jwt', maxTokenAge: 3600, maxTokenLength: 8192, cache: { entries: 10 },
      now: () => 1,
    });
    createVerifier({ issuers: [{ issuer: 'x', key: new Uint8Array(32), algorithms: ['HS256'] }], cache: false });
    createVerifier({ issuer: 'x', key: 'PEM', algorithms: ['ES256'] });
    export async function sample(cryptoKey: CryptoKey): Promise<string> {
      await ready();
      const { claims, header, keyId }: VerifiedToken<Mine> = await verifier.verify<Mine>('token');
      const tenant: string = claims.tenant;
      const subject: string | undefined = claims.sub;
      const audience: string | string[] | undefined = verifier.verifySync('token').claims.aud;
      const key = await importKey(cryptoKey, { kid: 'k' });
      const { payload } = await verifyJws('jws', key, { algorithms: ['ES256'] });
      const bytes: Uint8Array = payload;
      await verifyJws('jws', { keys: [{ kty: 'RSA' }] });
      const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret: 'x' }] });
      const minted: string = keys.mint({ prefix: 'sk', expiresAt: 5 }).key;
      const id: string = keys.verify(minted).id;
      const decoded: Mine = decodeUnverified<Mine>('token').payload;
      const pure: string = createPure({ issuer: 'x', key: 'PEM', algorithms: ['ES256'] }).verifySync('token').claims.iss;
      const carriers: GateEvent['carrier'][] = ['bearer', 'dpop', 'basic', 'api_key_header', 'cookie'];
      const decision = await createGate('{}').check(new Request('https://x.test/api/a'), { path: '/a', clientIp: carriers[0] });
      const sent: string[] = [];
      const { accounts } = createGate('{}', {
        stores: { accounts: memoryStore() }, mail: async ({ to, link }: AccountMail) => { sent.push(to, link ?? ''); }, passwords: async () => new Uint8Array(),
      });
      const waiting: true | undefined = (await accounts.invite({ email: 'ada@example.com' })).invited;
      const { id: account, createdAt } = await accounts.create({ email: 'ada@example.com', passwordHash: '$2b$', scopes: [] });
      const made: number = createdAt;
      const pending: true | undefined = (await accounts.delete((await accounts.update(account, { disabled: true })).id)).pending;
      await init(fetch('x'));
      initSync(new Uint8Array());
      return [decision.ok, tenant, subject, audience, bytes, id, decoded, header.alg, keyId, pure, made, pending, waiting, ...sent].join();
    }
    export function codeOf(error: unknown): ErrorCode | undefined {
      if (!(error instanceof EdgegateError)) return undefined;
      switch (error.code) {
        case 'TOKEN_EXPIRED': return error.claim === 'exp' ? error.code : undefined;
        default: return error.code;
      }
    }
  `;
  const WRONG = [
    "createVerifier({ issuer: 'x', key: 'p', algorithm: ['RS256'] });",
    "createVerifier({ issuer: 'x', key: 'p', algorithms: ['none'] });",
    "createVerifier({ key: 'p', algorithms: ['RS256'] });",
    "const n: number = createVerifier({ issuer: 'x', key: 'p' }).verifySync('t').claims.iss;",
    "createApiKeys({ environment: 'x', prefixes: ['a'] });",
    "createGate({ log: 'some' });",
    "createGate({ routes: [{ paht: '/a' }] });",
    "createGate('{}').accounts.update('id', { email: 'ada@example.com' });",
    "createGate({ issuers: [{ issuer: 'i', audience: ['a'], clockTolerance: 5 }] });",
  ];
  project.write('sample.mts', text);
  project.write('sample.cts', text);
  project.write('wrong.mts', `import { createVerifier, createApiKeys, createGate } from 'edgegate';\n${WRONG.map((line) => `// @ts-expect-error\n${line}`).join('\n')}\n`);
  const flags = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2022', '--lib', 'es2022,dom'];
  const check = (...rest) => compiles(project.folder, [...flags, ...rest]);
  await Promise.all([
    check('--module', 'node16', 'sample.mts', 'sample.cts', 'wrong.mts'),
    check('--module', 'esnext', '--moduleResolution', 'bundler', 'sample.mts'),
  ]);
});

test('each entry declares what it offers, and nothing else', async () => {
  const entries = ['edgegate', 'edgegate/gate', 'edgegate/inline', 'edgegate/gate/inline', 'edgegate/pure', 'edgegate/slim', 'edgegate/gate/slim'];
  const guarded = ['checkPolicy', 'createGate', 'd1Store', 'kvStore', 'memoryStore', 'redisStore'];
  const lines = [];
  for (const [index, entry] of entries.entries()) {
    const text = `console.log(JSON.stringify(Object.keys(await import('${entry}'))))`;
    const { stdout } = await run('node', ['--input-type=module', '--eval', text], { cwd: project.folder });
    const names = JSON.parse(stdout).map((name) => `${name}: true`);
    const all = `Record<keyof typeof entry${index}, true>`;
    if (!/^edgegate\/(pure|slim)$/.test(entry)) {
      lines.push(`import type * as entry${index} from '${entry}';`, `({ ${names.join(', ')} }) satisfies ${all};`);
    } else {
      // Only the types of these exist here.
      const less = guarded.map((name) => `'${name}'`).join(' | ');
      lines.push(`import * as entry${index} from '${entry}';`, `({ ${names.join(', ')} }) satisfies Omit<${all}, ${less}>;`);
      lines.push(...guarded.flatMap((name) => ['// @ts-expect-error', `entry${index}.${name};`]));
    }
  }
  project.write('names.mts', `${lines.join('\n')}\n`);
  const flags = ['--strict', '--noEmit', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022,dom'];
  await compiles(project.folder, [...flags, 'names.mts']);
});

test('the Worker is declared, with the classes that wrangler.toml binds', async () => {
  const classes = [...readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8').matchAll(/^class_name = "(\w+)"/gm)].map(([, name]) => name);
  project.write('worker.mts', `
    import gate, * as worker from 'edgegate/worker';
    gate.fetch satisfies (request: Request, env: object, context: { waitUntil(promise: Promise<unknown>): void }) => Promise<Response>;
    ({ default: true, ${classes.map((name) => `${name}: true`).join(', ')} }) satisfies Record<keyof typeof worker, true>;
    export { default } from 'edgegate/worker';
    export * from 'edgegate/worker';`);
  const flags = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,dom'];
  for (const more of [['--module', 'node16'], ['--module', 'esnext', '--moduleResolution', 'bundler']]) {
    await compiles(project.folder, [...flags, ...more, 'worker.mts']);
  }
});

test('the adapters fit their frameworks', async () => {
  for (const name of ['fastify', 'hono']) symlinkSync(path.join(ROOT, 'node_modules', name), project.path(`node_modules/${name}`), 'junction');
  project.write('adapters.mts', `
    import Fastify from 'fastify';
    import { Hono } from 'hono';
    import { createGate, createVerifier, memoryStore, redisStore, type Identity, type WatchEvent, type WatchReport } from 'edgegate';
    import { guard as express } from 'edgegate/express';
    import { guard as fastify } from 'edgegate/fastify';
    import { guard as fetching } from 'edgegate/fetch';
    import { guard as hono } from 'edgegate/hono';
    import { guard as koa } from 'edgegate/koa';
    import { guard as lambda, type LambdaHttpEvent } from 'edgegate/lambda';
    import { storeContract, type StoreCase } from 'edgegate/store-contract';
    import { stdoutSink, syslogSink, type Sink } from 'edgegate/sinks';
    import { createRehearsal, type Rehearsal } from 'edgegate/testing';

    const gate = createGate({});
    const verifier = createVerifier({ issuer: 'x', key: 'PEM' });
    type Middleware = (request: object, response: object, next: (error?: unknown) => void) => unknown;
    export const middleware: Middleware[] = [express(gate), express(verifier, { clientIp: (request: { ip: string }) => request.ip, caseSensitive: true })];

    const app = Fastify();
    await app.register(fastify(gate, { clientIp: (request) => request.ip }));
    app.get('/', async (request) => { const who: Identity = request.auth; return who.subject; });

    export const honoApp = new Hono().use(hono(gate)).get('/', (c) => { const who: Identity = c.get('auth'); return c.text(c.var.auth.subject ?? who.method); });

    // As the README writes it: not chained.
    export const plainHono = new Hono();
    plainHono.use(hono(gate));
    plainHono.get('/', (c) => c.text(c.get('auth').subject ?? c.var.auth.method));

    // Claims of one's own, by guard and for all handlers.
    interface Mine { tenant: string }
    export const mine: (request: Request) => Promise<Response> = fetching(gate, (_, auth: Identity<Mine>) => Response.json(auth.claims?.tenant.length));
    export const chained = new Hono().use(hono<Mine>(gate)).get('/', (c) => c.text(c.var.auth.claims?.tenant.trim() ?? ''));
    export const decided = async () => { const decision = await gate.check<Mine>(new Request('https://x.test/')); return decision.ok && decision.identity.claims?.tenant; };

    interface KoaContext { state: { auth?: Identity }; ip: string }
    export const koaMiddleware: (context: KoaContext, next: () => Promise<void>) => Promise<void> = koa(gate, { clientIp: (context: KoaContext) => context.ip });
    export const lambdaHandler = lambda(gate, async (event: LambdaHttpEvent, auth: Identity<Mine>, context: { awsRequestId: string }) => (
      { statusCode: 200, body: [event.rawPath, auth.claims?.tenant, context.awsRequestId].join() }));
    export const cases: readonly StoreCase[] = storeContract(() => memoryStore(), { exact: true, elapse: async (secs: number) => { secs.toFixed(); } });
    export const rehearsed: Promise<Rehearsal> = createRehearsal({ routes: [] }, { keys: 'own', now: () => 0 });
    export const why = async () => [(await (await rehearsed).explain(new Request('https://x.test/'))).outcome.code?.length, (await gate.explain({ method: 'GET', url: '/', headers: {} })).steps[0]?.policyPath];
    const mySink: Sink = async (event: WatchEvent) => { event.rule?.trim(); };
    export const watched = createGate({}, {
      stores: { watch: redisStore({ url: 'https://redis.test', token: 't' }) },
      watch: { sinks: { out: stdoutSink(), syslog: syslogSink({ transport: 'tls', facility: 'local0' }), mine: mySink } },
    });
    export const seen = async (): Promise<number> => { const report: WatchReport = await watched.watch.read({ window: '1h' }); await watched.close(); return report.decisions.refused + (report.codes.INVALID_TOKEN ?? 0) + (await watched.metrics()).length; };
    // Either kind of request.
    export const verified = (request: Request, incoming: import('node:http').IncomingMessage) => [verifier.verifyRequest<Mine>(request), verifier.verifyRequest(incoming, { url: 'https://x.test/' })];

    interface Env { NAME: string }
    interface Context { waitUntil(promise: Promise<unknown>): void }
    export const plain: (request: Request) => Promise<Response> = fetching(verifier, (_, auth) => Response.json(auth.claims));
    export const worker = {
      fetch: fetching(gate, async (request: Request, auth, env: Env, ctx: Context) => {
        ctx.waitUntil(Promise.resolve());
        return new Response(\`\${request.url} \${auth.scopes.join()} \${env.NAME}\`);
      }, { clientIp: (request) => request.headers.get('x-real-ip') ?? undefined }),
    };
  `);
  project.write('adapters-wrong.mts', `import { createApiKeys, createGate, createVerifier } from 'edgegate';
    import { guard } from 'edgegate/express';
    import { guard as fetching } from 'edgegate/fetch';
    // @ts-expect-error
    guard({});
    // @ts-expect-error
    guard(createApiKeys({ environment: 'test', prefixes: ['sk'], signingKeys: [] }));
    // @ts-expect-error
    guard(createGate({}), { trustProxy: true });
    // @ts-expect-error
    fetching(createGate({}));
    // @ts-expect-error
    createVerifier({ issuer: 'x', key: 'PEM' }).verifyRequest('GET /');
  `);
  project.write('claims.mts', `import { createGate } from 'edgegate';
    import Fastify from 'fastify';
    import { guard } from 'edgegate/fastify';
    declare module 'edgegate' { interface IdentityClaims { tenant: string } }
    const app = Fastify();
    await app.register(guard(createGate({})));
    app.get('/', async (request) => request.auth.claims?.tenant.trim());
  `);
  // The declarations of the frameworks are not checked here.
  const flags = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022,dom'];
  await Promise.all([['adapters.mts', 'adapters-wrong.mts'], ['claims.mts']].map((files) =>
    compiles(project.folder, [...flags, ...files])));
});

test('every kind of client of Redis fits its store', async () => {
  for (const name of ['ioredis', 'redis']) symlinkSync(path.join(ROOT, 'node_modules', name), project.path(`node_modules/${name}`), 'junction');
  project.write('redis.mts', `
    import { Redis, Cluster } from 'ioredis';
    import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
    import { redisStore, type ExactStore } from 'edgegate';

    export const stores: ExactStore[] = [
      redisStore(createClient({ keyPrefix: 'x' })),
      redisStore(createClient().withTypeMapping({ 36: String })),
      redisStore(createClientPool()),
      redisStore(createSentinel({ name: 'a', sentinelRootNodes: [{ host: 'a', port: 1 }] })),
      redisStore(createCluster({ rootNodes: [] }), { prefix: 'x' }),
      redisStore(new Redis()),
      redisStore(new Cluster([]), { evictionAllowed: true }),
      redisStore({ call: async (command: string, ...words: string[]) => [command, ...words] }),
      redisStore({ sendCommand: async (words: string[]) => words }),
      redisStore({ send: async (command: string, words: string[]) => [command, ...words], connect: async () => {} }),
      redisStore({ url: 'https://x.upstash.io', token: 'x' }),
    ];
    // @ts-expect-error
    redisStore({});
    // @ts-expect-error
    redisStore('redis://x');
  `);
  const flags = ['--strict', '--noEmit', '--skipLibCheck', '--exactOptionalPropertyTypes', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022,dom'];
  await compiles(project.folder, [...flags, 'redis.mts']);
});
