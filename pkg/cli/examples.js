// Names of a guide that still stand in a policy. With them tokens of somebody else are taken, or none.

import guides from 'edgegate:guides';
import { parse } from 'smol-toml';

/** What stands in the guides and is right in policies of others too. */
const SHARED = new Set([
  'https://accounts.google.com', 'accounts.google.com', 'https://appleid.apple.com', 'https://token.actions.githubusercontent.com', 'https://login.microsoftonline.com/{tenantid}/v2.0',
  'api://default', 'authenticated', 'orders-api',
]);

/** The claims whose values in the guides are names of somebody; others have values that all policies share. */
const NAMING_CLAIMS = ['repository', 'repository_id', 'hd', 'email'];

/** The fields of an issuer that name somebody, with their values. */
const namesOf = (issuer) => [
  ['issuer', issuer.issuer], ['audience', issuer.audience], ['tenants', issuer.tenants], ...NAMING_CLAIMS.map((claim) => [`claims.${claim}`, issuer.claims?.[claim]]),
].map(([field, value]) => [field, [value].flat().filter((one) => typeof one === 'string')]);

/** The values of the guides by their field: what is an example for one may be right for another. */
const EXAMPLES = new Map();
for (const issuer of guides.flatMap(({ policy, others }) => [policy, ...others]).flatMap((text) => parse(text).vars.POLICY.issuers)) {
  for (const [field, values] of namesOf(issuer)) EXAMPLES.set(field, new Set([...(EXAMPLES.get(field) ?? []), ...values.filter((one) => !SHARED.has(one))]));
}

/** `{path, found}` for each name that is a guide's. */
export function examplesIn({ issuers }) {
  return (Array.isArray(issuers) ? issuers : []).flatMap((issuer, index) => namesOf(issuer).flatMap(([field, values]) => {
    const found = values.filter((one) => EXAMPLES.get(field).has(one));
    return found.length === 0 ? [] : [{ path: `issuers[${index}].${field}`, found: found.join(', ') }];
  }));
}
