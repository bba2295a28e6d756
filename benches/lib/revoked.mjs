// Revocations of other credentials, so that a gate has something to look through.

import assert from 'node:assert/strict';

const READY_MILLIS = 20_000;
const WAIT_MILLIS = 200;

/**
 * Revokes these `entries`, and waits until the gate admits `credential`: its first snapshot is there then.
 *
 * @param {{ entries: object[], admin: string, path?: string, credential: object }} what
 */
export async function revokeOthers(gate, { entries, admin, path = '/v1/posts', credential }) {
  const answer = await gate.request('POST', '/auth/admin/revocations', {
    token: admin, body: `${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`, headers: { 'Content-Type': 'application/x-ndjson' },
  });
  assert.ok(answer.status < 300, answer.text);
  const deadline = Date.now() + READY_MILLIS;
  for (;;) {
    const { status } = await gate.get(path, credential);
    if (status === 200) return;
    assert.ok(Date.now() < deadline, `never ready: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MILLIS));
  }
}
