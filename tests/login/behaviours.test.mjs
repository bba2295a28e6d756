// Every behaviour of the adversary, through the built Worker: whoever ought to get in gets in, and nobody else does.
// EDGEGATE_LOGIN_WRITE=1 writes what is seen into docs/login-conformance.md.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { ATTACKS, LOGINS } from '../support/providers/adversary.mjs';
import { LoginGate, ORIGIN } from './gate.mjs';

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
  assert.ok(status >= 400 && (status < 500 || seen.includes(' ')), `${status} ${seen}`);
  assert.ok(tab.trail.length <= 8, `${tab.trail.length} steps`);
  return seen.split(':')[0];
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
