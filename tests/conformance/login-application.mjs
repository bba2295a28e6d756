// An application whose people log in, for any runtime that has `fetch` handlers.

export function application({ createGate, memoryStore }, guard, { policy, secrets }) {
  const store = memoryStore();
  const gate = createGate(policy, { secrets, stores: { sessions: store, revocation: store, keys: store, counters: store } });
  return guard(gate, async ({ url }, caller) => {
    const wantsMail = new URL(url).searchParams.has('mail');
    return Response.json({ subject: caller.subject, ...(wantsMail && await gate.grants.token(caller, 'mail')) });
  });
}
