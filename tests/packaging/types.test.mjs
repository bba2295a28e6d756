// The declarations, as TypeScript reads them from a project of its own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createProject, program, run } from './project.mjs';

let project;
before(async () => {
  project = await createProject();
});
after(() => project?.dispose());

test('tsc --strict takes a sample, and refuses what is wrong in it', async () => {
  const text = `
    import { createVerifier, createApiKeys, decodeUnverified, importKey, verifyJws, ready, EdgegateError, type ErrorCode, type VerifiedToken } from 'edgegate';
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
      await init(fetch('x'));
      initSync(new Uint8Array());
      return [tenant, subject, audience, bytes, id, decoded, header.alg, keyId, pure].join();
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
  ];
  project.write('sample.mts', text);
  project.write('sample.cts', text);
  project.write('wrong.mts', `import { createVerifier, createApiKeys } from 'edgegate';\n${WRONG.map((line) => `// @ts-expect-error\n${line}`).join('\n')}\n`);
  const flags = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2022', '--lib', 'es2022,dom'];
  const check = (...rest) => run(program('tsc'), [...flags, ...rest], { cwd: project.folder }).catch(({ stdout }) => assert.fail(stdout));
  await Promise.all([
    check('--module', 'node16', 'sample.mts', 'sample.cts', 'wrong.mts'),
    check('--module', 'esnext', '--moduleResolution', 'bundler', 'sample.mts'),
  ]);
});
