// Prints a token that the server takes. In real life your identity provider makes them.
import { importSigningKey, signJwt } from 'edgegate';

const key = await importSigningKey(new TextEncoder().encode(process.env.JWT_SECRET), { alg: 'HS256' });
const claims = { iss: 'https://issuer.example/', aud: 'https://api.example.com', sub: 'alice', scope: 'read:posts' };
console.log(await signJwt(claims, key, { expiresIn: 3600 }));
