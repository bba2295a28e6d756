// Every behaviour of the adversary, done by each of the other providers: what is special about one must not open a way in.

import { test } from 'node:test';

import { ATTACKS, LOGINS } from '../../support/providers/adversary.mjs';
import { KINDS } from '../../support/providers/index.mjs';
import { ANN } from '../../support/providers/provider.mjs';
import { LoginGate } from '../gate.mjs';
import { outcome } from '../outcome.mjs';

const AT_ONCE = 20;

/** Why a behaviour is none of this provider's. */
function isSpared(kind, behaviour) {
  const { name, set, mode, needsEmail } = behaviour;
  const places = tampered(kind, set);
  const ofTokens = places.some((place) => ['idToken', 'keySet', 'metadata', 'userinfo'].includes(place));
  return (mode !== undefined)
    || (!kind.sendsIss && name === 'remove-authorization-response-iss')
    // They say for whom of several a token is (`azp`), which makes it a right one.
    || (['google', 'keycloak'].includes(kind.name) && name === 'invalid-secondary-aud')
    // Its addresses are nobody's word, at the userinfo endpoint least of all.
    || (kind.name === 'microsoft' && needsEmail)
    // Without ID tokens and a document, what is wrong with these is wrong with nothing.
    || (!kind.hasIdToken && (ofTokens || /^document-|no-id-token|^oidcc-|two-issuers|response-iss/.test(name)));
}

/** Where it does something else. */
function tampered(kind, set) {
  const stub = { tamper: {}, kind, user: ANN, client: {}, keys: [], rotateKeys: () => {} };
  set(stub);
  return Object.keys(stub.tamper);
}

const ALLOW = { allow: { email_domains: ['corp.example'] } };

for (const kind of Object.values(KINDS).filter(({ name }) => !['oidc', 'apple', 'slack-bot'].includes(name))) {
  const cases = [...LOGINS, ...ATTACKS].filter((behaviour) => !isSpared(kind, behaviour)).map((behaviour, index) => ({ ...behaviour, id: `idp-${index}` }));
  for (let start = 0; start < cases.length; start += AT_ONCE) {
    const group = cases.slice(start, start + AT_ONCE);
    test(`${kind.name}: behaviours ${start + 1} to ${start + group.length}`, async (context) => {
      const gate = await LoginGate.start(Object.fromEntries(group.map(({ id }) => [id, { kind: kind.name, settings: { edov: true }, policy: ALLOW }])));
      try {
        for (const behaviour of group) await context.test(`${behaviour.plan}: ${behaviour.name}`, () => outcome(gate, behaviour));
      } finally {
        await gate.close();
      }
    });
  }
}
