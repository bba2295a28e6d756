import { checkNames, list, tokenLength } from './check.js';
import { malformedToken, tokenTooLong } from './errors.js';
import { sourceOf } from './keys.js';
import { DEFAULT_MAX_TOKEN_LENGTH, DONE, PENDING } from './protocol.js';

/** The most keys that are kept for one object: one for each content and options that it was used with. */
const MAX_KNOWN_PER_KEY = 16;

/** `verifyJws` of index.d.ts. */
export async function verifyJws(engine, jws, key, options = {}) {
  checkNames(options, ['algorithms', 'maxTokenLength'], '');
  const maxTokenLength = tokenLength(options.maxTokenLength ?? DEFAULT_MAX_TOKEN_LENGTH);
  const algorithms = options.algorithms === undefined ? undefined : list(options.algorithms, 'algorithms');
  if (typeof jws !== 'string') throw malformedToken('token: expected a string');
  if (jws.length > maxTokenLength) throw tokenTooLong(jws, maxTokenLength);
  await engine.ready();
  const keys = await keysOf(engine, key, algorithms, maxTokenLength);
  const verdicts = new Map();
  for (;;) {
    const handle = engine.handle(keys.thing);
    const status = engine.withVerdicts(verdicts, () => engine.call('verifyJws', handle, jws));
    if (status === DONE) {
      const header = JSON.parse(new TextDecoder().decode(engine.platform.decodeBase64Url(jws.slice(0, jws.indexOf('.')))));
      return { header, payload: engine.payload(), keyId: engine.keyId() };
    }
    if (status !== PENDING) throw engine.refusal();
    const { job } = engine;
    verdicts.set(job.id, await engine.platform.host.decide(job));
  }
}

class Keys {
  constructor(engine, text) {
    this.thing = engine.hold(this, 'freeKeys', () => engine.call('createKeys', undefined, text));
  }
}

async function keysOf(engine, key, algorithms, maxTokenLength) {
  const text = JSON.stringify({ key: await sourceOf(key, engine.platform), algorithms, maxTokenLength });
  if (typeof key !== 'object') return new Keys(engine, text);
  const known = engine.keysByObject;
  let keys = known.get(key);
  if (keys === undefined) known.set(key, (keys = new Map()));
  // They are found by the text, since an object may have been changed.
  let one = keys.get(text);
  if (one === undefined) {
    if (keys.size >= MAX_KNOWN_PER_KEY) keys.clear();
    keys.set(text, (one = new Keys(engine, text)));
  }
  return one;
}

/** `decodeUnverified` of index.d.ts: believes everything. */
export function decodeUnverified(engine, token) {
  if (typeof token !== 'string') throw malformedToken('token: expected a string');
  const segments = token.split('.');
  if (segments.length !== 3) throw malformedToken('token: expected three segments');
  return { header: decode(engine, segments[0], 'header'), payload: decode(engine, segments[1], 'payload') };
}

function decode(engine, segment, part) {
  if (!/^[\w-]+$/.test(segment)) throw malformedToken(`${part}: not base64url without padding`);
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(engine.platform.decodeBase64Url(segment)));
  } catch {
    throw malformedToken(`${part}: not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformedToken(`${part}: not a JSON object`);
  return value;
}
