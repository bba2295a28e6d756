import { createVerifier } from 'edgegate';

const verifier = createVerifier({
  issuer: 'https://issuer.test/', audience: 'https://api.test', algorithms: ['HS256'], key: new TextEncoder().encode(process.env.JWT_SECRET),
});

export async function answer(request) {
  try {
    const { claims } = await verifier.verifyRequest(request);
    return new Response(claims.sub);
  } catch ({ code }) {
    return new Response(code, { status: code === 'CONFIG_ERROR' ? 500 : 401 });
  }
}
