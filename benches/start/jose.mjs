// As edgegate.mjs, with jose.
const began = performance.now();
const { jwtVerify } = await import('jose');
const [token, secret, issuer, audience] = process.argv.slice(2);
const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), { issuer, audience, algorithms: ['HS256'] });
const took = performance.now() - began;
console.log(JSON.stringify({ took, sub: payload.sub }));
