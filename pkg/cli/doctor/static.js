// What the files prove: the policy, wrangler's configuration, what is beside them.

import { examine } from '../policy-check.js';
import { misused } from '../failure.js';
import { policyObject, varsOf } from '../project.js';
import { LINES, fail, pass, skip, warn } from './checklist.js';
import { factsOf } from './policy-facts.js';
import { DOCUMENTS } from './static-documents.js';
import { MONITORING, PEOPLE } from './static-operation.js';
import { BEYOND, PROJECT } from './static-project.js';
import { SECURITY } from './static-security.js';

const CHECKS = { ...SECURITY, ...PROJECT, ...MONITORING, ...PEOPLE, ...DOCUMENTS, ...BEYOND };

/** Lines that only a running gate can answer. */
export const ONLINE = LINES.map(({ id }) => id).filter((id) => id !== 'policy' && !Object.hasOwn(CHECKS, id));

/** What checks work with. */
export async function factsOfProject(project, { env, callers, now = Date.now() }) {
  const own = policyObject(project);
  const examined = await examine(project, env);
  if (examined.source === 'kv') throw misused(`${project.file}: the policy is in KV`, 'say --policy with the file that you put there');
  return {
    ...project, env, callers, now, examined,
    findings: examined.findings,
    secrets: [...new Set([...examined.secrets, ...examined.roles.keys()])],
    vars: varsOf(project, env),
    policy: { ...factsOf(own), own },
  };
}

/** Findings of the files. Of a policy that the gate refuses nothing else is said: its fields may be anything. */
export function staticFindings(facts) {
  const errors = facts.findings.filter(({ level }) => level === 'error');
  const findings = finding('policy', policy(facts, errors));
  for (const [id, check] of Object.entries(CHECKS)) findings.push(...finding(id, isTaken(facts) ? check(facts) : skip('the gate refuses the policy')));
  return findings;
}

/** Whether the engine takes the policy; bindings may be missing all the same. */
export const isTaken = ({ examined }) => examined.source !== undefined;

function policy({ findings, file }, errors) {
  const warnings = findings.filter(({ level, example }) => level === 'warning' && !example);
  if (errors.length > 0) return errors.map(({ path, message, hint }) => fail(message, { path, fix: hint ?? 'npx edgegate check says more' }));
  // The others have lines of their own.
  const more = warnings.filter(({ path }) => !['routes', 'failed_authentication'].includes(path) && !isAboutSecret(path));
  return more.length > 0 ? more.map(({ path, message, hint }) => warn(message, { path, fix: hint })) : pass(`${file}: the gate takes it`);
}

/** Of `weaknesses`: the line of secrets has them. */
const isAboutSecret = (path) => /^[A-Z_][A-Z0-9_]*$/.test(path ?? '');

/** Of lines that nobody was asked for. */
export const unasked = (ids = ONLINE, why = 'no gate was asked', fix = 'say --url https://…') => ids.flatMap((id) => finding(id, skip(why, { kind: 'live', fix })));

export const finding = (id, verdicts, kind = 'static') => [verdicts].flat().map((verdict) => ({ id, kind, ...verdict }));
