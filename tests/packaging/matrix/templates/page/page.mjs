import { createGate, createVerifier } from 'edgegate';

const { secret, good, forged } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const gate = createGate({
  issuers: [{ issuer: 'https://issuer.test/', audience: ['https://api.test'], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
}, { secrets: { JWT_SECRET: secret } });
const verifier = createVerifier({ issuer: 'https://issuer.test/', audience: 'https://api.test', algorithms: ['HS256'], key: new TextEncoder().encode(secret) });
const ask = (headers) => gate.check({ method: 'GET', url: '/x', headers });

(async () => {
  const [one, two, three] = [await ask({ authorization: `Bearer ${good}` }), await ask({ authorization: `Bearer ${forged}` }), await ask({})];
  globalThis.result = { good: one.identity.subject, forged: two.status, none: three.status, verified: (await verifier.verify(good)).claims.sub };
})().catch((error) => { globalThis.result = error.stack; });
