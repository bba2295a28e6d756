// What is behind the gates: it reads the body, and tells what it saw where `?seen` asks.

export default {
  async fetch(request) {
    let bytes = 0;
    if (request.body !== null) for await (const chunk of request.body) bytes += chunk.byteLength;
    if (request.url.endsWith('?seen')) {
      return Response.json({ method: request.method, bytes, headers: Object.fromEntries(request.headers) });
    }
    return new Response(`posts for ${request.headers.get('x-auth-subject')}`);
  },
};
