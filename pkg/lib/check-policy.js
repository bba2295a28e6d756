import { checkNames } from './check.js';
import { Engine } from './engine.js';
import { documentOf, secretsOf } from './gate.js';
import { DONE } from './protocol.js';

/** `checkPolicy` of index.d.ts, over an engine that has the guard. */
export const checkPolicyOf = (engine) => async (policy, options = {}) => {
  checkNames(options, ['secrets'], '');
  const { text, document } = documentOf(policy);
  const secrets = secretsOf(document, options.secrets ?? {}, engine.platform);
  await engine.ready();
  if (engine.call('checkPolicy', undefined, JSON.stringify({ policy: text, secrets })) !== DONE) throw engine.refusal();
  return JSON.parse(engine.text());
};

/** The same over an engine of its own, which is loaded for the first policy. */
export function checkPolicyWith(platform) {
  let check;
  return (policy, options) => (check ??= checkPolicyOf(new Engine(platform)))(policy, options);
}
