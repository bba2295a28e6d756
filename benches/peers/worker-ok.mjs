// Answers "ok" without a look at the request.

export default { fetch() { return new Response('ok'); } };
