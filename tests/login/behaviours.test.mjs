// Every behaviour of the adversary, through the built Worker: whoever ought to get in gets in, and nobody else does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ATTACKS, LOGINS } from '../support/providers/adversary.mjs';
import { LoginGate, ORIGIN } from './gate.mjs';

/** As many as one policy may have. */
const AT_ONCE = 20;

const ALLOW = { allow: { email_domains: ['corp.example'] } };

/** A provider for each, so that nothing that a gate remembers of one is of use for another. */
const named = [...LOGINS, ...ATTACKS].map((behaviour, index) => ({ ...behaviour, id: behaviour.mode === 'form_post' ? `apple-${index}` : `idp-${index}` }));

for (let start = 0; start < named.length; start += AT_ONCE) {
  const group = named.slice(start, start + AT_ONCE);
  test(`behaviours ${start + 1} to ${start + group.length}`, async (context) => {
    const wanted = Object.fromEntries(group.map(({ id, mode }) => [id, { kind: mode ? 'apple' : 'oidc', policy: ALLOW }]));
    const gate = await LoginGate.start(wanted);
    try {
      for (const behaviour of group) {
        await context.test(`${behaviour.plan}: ${behaviour.name}`, async () => {
          const seen = await outcome(gate, behaviour);
          context.diagnostic(`${behaviour.plan} | ${behaviour.name} | ${behaviour.expected} | ${seen.replaceAll('|', '/')}`);
        });
      }
    } finally {
      await gate.close();
    }
  });
}

async function outcome(gate, { id, expected, set, isSecondLogin, stolen }) {
  const provider = gate.providers[id];
  if (isSecondLogin) assert.equal((await gate.logIn(id)).seen, 'in');
  set(provider);
  const asked = provider.count(provider.kind.paths.userinfo);
  const { seen, tab, url, status, session } = await gate.logIn(id);
  const isIn = seen === 'in';
  if (expected === 'in') assert.ok(isIn, seen);
  if (expected === 'out') assert.ok(!isIn);
  if (expected === 'unasked') assert.ok(!isIn || provider.count(provider.kind.paths.userinfo) === asked, 'userinfo was asked, and not compared');
  if (stolen) assert.equal(provider.count(stolen), 0, 'a redirect was followed');
  if (isIn) {
    assert.ok(session.subject.startsWith(`${id}|`));
    return 'in';
  }
  // A page of the gate's own that says why, in few steps, and is no fault of the gate.
  assert.ok(url.startsWith(ORIGIN) || tab.trail.length === 1, url);
  assert.ok(status >= 400 && status !== 500, `${status}`);
  assert.ok(tab.trail.length <= 8, `${tab.trail.length} steps`);
  return seen;
}
