// Imports the package and verifies one token; prints the milliseconds that took.
const began = performance.now();
const { createVerifier } = await import('../../pkg/wasm/node.js');
const [token, secret, issuer, audience] = process.argv.slice(2);
const verifier = createVerifier({ issuer, audience, algorithms: ['HS256'], key: new TextEncoder().encode(secret), cache: false });
const { claims } = verifier.verifySync(token);
const took = performance.now() - began;
console.log(JSON.stringify({ took, sub: claims.sub }));
