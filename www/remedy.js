// What to do about a check that fails: what the token says beside what was expected, and the line of a policy that would admit it.

import { date } from './checks.js';

/** The most that `clock_tolerance_secs` may be. */
const MAX_TOLERANCE_SECS = 600;

const text = (value) => JSON.stringify(value);
const list = (value) => `[${[value].flat().map(text).join(', ')}]`;
const told = (value, name) => (value === undefined || value === null ? `no ${name}` : [value].flat().map(String).join(', '));

/** For clocks that differ by so many seconds. */
function tolerance(seconds) {
  const rounded = Math.ceil((seconds + 1) / 30) * 30;
  return rounded <= MAX_TOLERANCE_SECS ? `clock_tolerance_secs = ${rounded}` : undefined;
}

const REMEDIES = {
  Form: () => ({ note: 'No policy admits it. Copy the token again, from its first letter to its last.' }),

  Issuer: ({ payload, expected }) => ({
    token: told(payload?.iss, 'iss'),
    expected: expected.issuer ?? 'an iss',
    ...(typeof payload?.iss === 'string' ? { line: `issuer = ${text(payload.iss)}`, note: 'Only if this issuer is the one that you trust.' } : {}),
  }),

  Key: ({ header, kids }) => ({
    token: told(header.kid, 'kid'),
    expected: kids.length === 0 ? 'a key for this algorithm' : kids.join(', '),
    line: 'discovery = true',
    note: 'The issuer may have changed its keys. So the gate fetches them, and again when it does not know one.',
  }),

  Algorithm: ({ header, algorithms }) => ({
    token: told(header.alg, 'alg'),
    expected: algorithms.join(', ') || 'what the key is for',
    ...(/^none$/i.test(header.alg) ? { note: 'No policy admits a token without a signature.' } : {
      line: `algorithms = ${list(header.alg)}`, note: 'Only if the issuer signs with it. The key has to be one for it.',
    }),
  }),

  Signature: () => ({ note: 'Another key has signed this, or somebody has changed it. No policy admits it. Is the key the issuer’s?' }),

  Audience: ({ payload, expected }) => {
    const other = ['client_id', 'azp'].find((name) => typeof payload[name] === 'string');
    if (payload.aud === undefined && other !== undefined) {
      return {
        token: `no aud, but ${other} = ${payload[other]}`,
        expected: expected.audience,
        line: `audience_claim = ${text(other)}\naudience = ${list(payload[other])}`,
        note: 'Only if this names the clients of your API.',
      };
    }
    if (payload.aud === undefined) return { token: 'no aud', expected: expected.audience };
    return {
      token: told(payload.aud, 'aud'), expected: expected.audience, line: `audience = ${list(payload.aud)}`, note: 'Only if this audience is your API.',
    };
  },

  Expiry: ({ payload, now, error }) => {
    if (error.reason === 'missing_claim') {
      return { token: 'no exp', expected: 'a time at which it ends', line: 'require_exp = false', note: 'Such a token is good for ever, or until it is revoked.' };
    }
    const line = tolerance(now - payload.exp);
    return {
      token: date(payload.exp),
      expected: `later than ${date(now)}`,
      ...(line ? { line, note: 'Only if the issuer’s clock is behind. Otherwise the caller needs a new token.' } : { note: 'No policy admits it. The caller needs a new token.' }),
    };
  },

  Start: ({ payload, now }) => {
    const from = Math.max(...[payload.nbf, payload.iat].filter(Number.isFinite));
    const line = tolerance(from - now);
    return {
      token: date(from),
      expected: `not later than ${date(now)}`,
      ...(line ? { line, note: 'Only if the issuer’s clock is ahead.' } : {}),
    };
  },
};

/** `{token, expected, line, note}`, as far as there are any. */
export const remedy = (name, seen) => REMEDIES[name]?.(seen) ?? {};
