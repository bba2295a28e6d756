// Every behaviour of the adversary, through the built Worker: whoever ought to get in gets in, and nobody else does.
// EDGEGATE_LOGIN_WRITE=1 writes what is seen into docs/login-conformance.md.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { ATTACKS, LOGINS } from '../support/providers/adversary.mjs';
import { LoginGate } from './gate.mjs';
import { outcome } from './outcome.mjs';

/** As many as one policy may have. */
const AT_ONCE = 20;

const ALLOW = { allow: { email_domains: ['corp.example'] } };

/** A provider for each, so that nothing that a gate remembers of one is of use for another. */
const named = [...LOGINS, ...ATTACKS].map((behaviour, index) => ({ ...behaviour, id: behaviour.mode === 'form_post' ? `apple-${index}` : `idp-${index}` }));

const rows = new Map();

for (let start = 0; start < named.length; start += AT_ONCE) {
  const group = named.slice(start, start + AT_ONCE);
  test(`behaviours ${start + 1} to ${start + group.length}`, async (context) => {
    const wanted = Object.fromEntries(group.map(({ id, mode }) => [id, { kind: mode ? 'apple' : 'oidc', policy: ALLOW }]));
    const gate = await LoginGate.start(wanted);
    try {
      for (const behaviour of group) {
        await context.test(`${behaviour.plan}: ${behaviour.name}`, async () => {
          rows.set(behaviour.id, await outcome(gate, behaviour));
        });
      }
    } finally {
      await gate.close();
    }
  });
}

const WORDS = { in: 'logged in', out: 'not logged in', either: 'either', unasked: 'not logged in, or userinfo not asked' };
const DOCUMENT = new URL('../../docs/login-conformance.md', import.meta.url);

test('docs/login-conformance.md says what was seen', () => {
  const lines = named.map(({ plan, name, expected, id }) => `| ${plan} | \`${name}\` | ${WORDS[expected]} | ${rows.get(id) === 'in' ? 'logged in' : rows.get(id)} |`);
  const table = ['| of | behaviour | expected | seen |', '|---|---|---|---|', ...lines].join('\n');
  const text = readFileSync(DOCUMENT, 'utf8');
  const fresh = text.replace(/(<!-- behaviours -->\n)[\s\S]*?(<!-- end -->)/, (_, start, end) => `${start}${table}\n${end}`);
  if (process.env.EDGEGATE_LOGIN_WRITE === '1') writeFileSync(DOCUMENT, fresh);
  else assert.equal(text, fresh, 'EDGEGATE_LOGIN_WRITE=1 node --test tests/login/behaviours.test.mjs writes it');
});
