// What holds of a token, check by check. The engine stops at the first fault; to say what else holds, the fault is noted,
// what was asked is relaxed by just that, and the engine is asked again. No check is made here.

/** The checks, in the engine's order, with the reasons it gives for each. */
const CHECKS = [
  { name: 'Form', reasons: ['malformed_token', 'token_too_long', 'duplicate_member', 'unsupported_critical', 'wrong_claim_type'] },
  { name: 'Issuer', reasons: ['unknown_issuer'], claim: 'iss' },
  { name: 'Key', reasons: ['unknown_key', 'keys_unavailable', 'algorithm_unavailable'] },
  { name: 'Algorithm', reasons: ['algorithm_not_allowed'] },
  { name: 'Signature', reasons: ['bad_signature'] },
  { name: 'Audience', reasons: [], claim: 'aud' },
  { name: 'Expiry', reasons: ['token_expired', 'token_too_old', 'authentication_too_old'], claim: 'exp' },
  { name: 'Start', reasons: ['token_not_yet_valid'], claim: 'nbf' },
];

const checkOf = ({ reason, claim }) =>
  CHECKS.findIndex((check) => (check.claim !== undefined && check.claim === claim) || check.reasons.includes(reason));

/** More faults than a token can have one after the other. */
const MAX_ROUNDS = 8;

/**
 * Looks at a token. `source` is `{key}`, `{jwks}` or `{jwksUri}`, or `null`: then only what can be seen without a key.
 * Resolves with `{header, payload, checks, genuine, admitted}`; a check is `{name, state, detail}` with the state `good`,
 * `bad` (then with the engine's `error`) or `open` (not asked for, or not reached).
 */
export async function inspect(engine, token, source, expected, now = () => Date.now() / 1000) {
  const { createVerifier, decodeUnverified } = engine;
  const states = CHECKS.map(({ name }) => ({ name, state: 'open', detail: 'not reached' }));
  const fail = (error) => {
    const place = checkOf(error);
    states[place === -1 ? 0 : place] = { name: CHECKS[place === -1 ? 0 : place].name, state: 'bad', detail: error.message, error };
    return place;
  };
  const result = { header: undefined, payload: undefined, checks: states, genuine: false, admitted: false };
  try {
    Object.assign(result, decodeUnverified(token));
  } catch (error) {
    fail(error);
    return result;
  }
  if (source === null) return { ...result, checks: await withoutKey(engine, token, expected, now) };
  const { payload } = result;
  const text = (value) => (typeof value === 'string' && value !== '' ? value : undefined);
  const options = {
    ...source,
    issuer: expected.issuer ?? text(payload.iss) ?? 'https://issuer.invalid/',
    audience: expected.audience,
    cache: false,
    dpop: false,
    now,
  };
  let reached = -1;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let error;
    try {
      await createVerifier(options).verify(token);
      reached = CHECKS.length;
      break;
    } catch (thrown) {
      if (thrown.code === 'CONFIG_ERROR' || thrown.code === undefined) throw thrown;
      error = thrown;
    }
    const place = fail(error);
    if (!relax(options, CHECKS[place]?.name, error, payload)) {
      reached = place;
      break;
    }
  }
  states.forEach((state, index) => {
    if (state.state === 'open' && index < reached) Object.assign(state, describe(state.name, result, expected, now()));
  });
  if (typeof payload.cnf?.jkt === 'string') {
    const detail = 'bound to a key: each request needs a proof of it (DPoP), which is not looked at here';
    states.push({ name: 'Possession', state: 'open', detail });
  }
  result.genuine = reached > CHECKS.findIndex(({ name }) => name === 'Signature');
  result.admitted = result.genuine && states.every(({ state }) => state !== 'bad');
  return result;
}

/** What only a key can answer. */
const OF_THE_KEY = ['Key', 'Algorithm', 'Signature'];

/**
 * What the claims say without a key. The engine makes these checks too: of the same claims, signed with a key of this moment. What
 * fails of them fails with every key; what holds is open, since anybody can have written it.
 */
async function withoutKey(engine, token, expected, now) {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const claims = Uint8Array.from(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  const own = await engine.signJws(claims, key, { alg: 'HS256' });
  const { checks } = await inspect(engine, own, { key, algorithms: ['HS256'] }, expected, now);
  return checks.map((check) => {
    if (OF_THE_KEY.includes(check.name)) return { name: check.name, state: 'open', detail: 'no key was given' };
    return check.name === 'Form' || check.state === 'bad' ? check : { ...check, state: 'open' };
  });
}

/** Takes away what was just refused; `false` if there is nothing left to ask. */
function relax(options, check, error, payload) {
  switch (check) {
    case 'Issuer':
      if (typeof payload.iss !== 'string' || options.issuer === payload.iss) return false;
      options.issuer = payload.iss;
      return true;
    case 'Audience':
      if (options.audience === undefined) return false;
      options.audience = undefined;
      return true;
    case 'Expiry': {
      if (error.reason === 'missing_claim') {
        if (options.requireExp === false) return false;
        options.requireExp = false;
        return true;
      }
      const before = payload.exp - 1;
      return moveClock(options, before);
    }
    case 'Start':
      return moveClock(options, Math.max(...[payload.nbf, payload.iat].filter(Number.isFinite)));
    default:
      return false;
  }
}

/** Once: a token that ends before it begins never holds. */
function moveClock(options, time) {
  if (options.moved || !Number.isFinite(time)) return false;
  options.now = () => time;
  Object.defineProperty(options, 'moved', { value: true });
  return true;
}

function describe(name, { header, payload }, expected, now) {
  const good = (detail) => ({ state: 'good', detail });
  const open = (detail) => ({ state: 'open', detail });
  switch (name) {
    case 'Form': return good('three parts, strictly encoded; claims of the right types');
    case 'Issuer': return expected.issuer === undefined ? open(`${payload.iss}: none was expected in particular`) : good(payload.iss);
    case 'Key': return good(header.kid === undefined ? 'the token names none; this one fits' : `kid ${header.kid}`);
    case 'Algorithm': return good(header.alg);
    case 'Signature': return good('genuine');
    case 'Audience': return expected.audience === undefined ? open('none was expected') : good([payload.aud].flat().join(', '));
    case 'Expiry': return payload.exp === undefined ? open('the token has no exp') : good(`${duration(payload.exp - now)} left`);
    default: return good(payload.nbf === undefined ? 'the token has no nbf' : `since ${date(payload.nbf)}`);
  }
}

/** Seconds in words: the two largest units. */
export function duration(seconds) {
  const parts = [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1]];
  let rest = Math.max(0, Math.floor(seconds));
  const words = [];
  for (const [unit, length] of parts) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) words.push(`${count} ${unit}`);
  }
  return words.slice(0, 2).join(' ') || '0 s';
}

/** A NumericDate for people, in UTC. */
export function date(seconds) {
  const moment = new Date(seconds * 1000);
  return Number.isNaN(moment.getTime()) ? `${seconds} s` : moment.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
}
