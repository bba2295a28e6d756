// What is wrong with a project before it is deployed. The engine reads the policy as the Worker does (`checkPolicy`); what it says is
// needed is looked for in wrangler's configuration and in `.dev.vars`.

import { checkPolicy } from 'edgegate';

import { KV, OBJECTS, migrations } from './deployed.js';
import { examplesIn } from './examples.js';
import { policyObject, varsOf } from './project.js';
import { hasForm, newSecret, rolesOf, weaknesses } from './secrets.js';
import { quoted } from './template.js';
import { value } from './vars.js';

/** The variable with a policy that may come (docs/shadow.md). */
export const SHADOW = 'POLICY_SHADOW';

/** More does not fit into a variable of a Worker (Cloudflare's limit). */
const VARIABLE_BYTES = 5 * 1024;

/**
 * Findings `{level, path?, message, hint?}` and what the policy needs. An `error` is what the gate would refuse, or what would keep it
 * from working; a `warning` is what works and is hardly meant.
 */
export async function examine(project, env) {
  const findings = [];
  const policy = policyObject(project);
  const roles = rolesOf(policy);
  const vars = varsOf(project, env);
  const local = Object.fromEntries([...roles.keys()].map((name) => [name, value(vars, name)]));
  const report = await read(project, policy, roles, local, findings);
  findings.push(...misnamed([...roles.keys(), ...(report?.secrets ?? [])]));
  if (report === undefined) return { findings, secrets: [], missing: [], roles };
  const missing = report.secrets.filter((name) => value(vars, name) === undefined);
  if (project.configuration !== undefined) {
    findings.push(...bound(project.configuration, report.bindings), ...fits(project.policy));
  }
  for (const weak of weaknesses(local)) findings.push({ level: 'warning', ...weak });
  findings.push(...notMeant(policy), ...await candidate(project, policy, env));
  return { findings, source: report.source, secrets: report.secrets, missing, roles, bindings: report.bindings };
}

/** What is wrong with the policy that may come. It keeps nothing from working: the gate ignores one that is faulty. */
async function candidate({ configuration, policy, ...project }, { watch }, env) {
  const shadow = configuration?.vars?.[SHADOW];
  if (shadow === policy || (shadow === undefined && watch?.shadow === undefined)) return [];
  const warning = (path, message) => [{ level: 'warning', path, message }];
  if (shadow === undefined) return warning('watch.shadow', `there is no variable ${SHADOW}: nothing is judged beside this policy`);
  if (watch?.shadow === undefined) return warning(SHADOW, 'is not judged: the policy has no watch.shadow');
  let found;
  try {
    found = await examine({ ...project, text: '', policy: shadow, configuration: { ...configuration, vars: {} } }, env);
  } catch (error) {
    return warning(SHADOW, error.message);
  }
  return found.findings.filter(({ level }) => level === 'error').flatMap(({ path, message }) => warning(SHADOW, `${path ? `${path}: ` : ''}${message}`));
}

async function read(project, policy, roles, local, findings) {
  // What is not there yet must not hide what else is wrong. For most secrets the engine has something to stand in.
  const secrets = Object.fromEntries([...roles].map(([name, role]) => [name, local[name] ?? (hasForm(role) ? newSecret(role) : undefined)]));
  const known = Object.fromEntries(Object.entries(secrets).filter(([, secret]) => secret !== undefined));
  try {
    return await checkPolicy(project.policy, { secrets: known });
  } catch (error) {
    if (error.code !== 'CONFIG_ERROR') throw error;
    const { path = '' } = error;
    const message = error.message.replace(/^configuration: /, '').replace(`${path}: `, '');
    findings.push({ level: 'error', path, message, line: lineOf(project.text, path) });
    return undefined;
  }
}

/** Where the field of a path stands, as far as it can be told without a parser that keeps places: in TOML, by its table. */
function lineOf(text, path) {
  const [, section, index, rest = ''] = /^(\w+)\[(\d+)\](?:\.([\w.]+))?/.exec(path) ?? [];
  if (section === undefined) return undefined;
  const lines = text.split('\n');
  const heads = lines.flatMap((line, at) => (line.trim().endsWith(`POLICY.${section}]]`) || line.trim() === `[[${section}]]` ? [at] : []));
  const start = heads[Number(index)];
  if (start === undefined) return undefined;
  const name = rest.split('.')[0];
  const end = lines.findIndex((line, at) => at > start && /^\s*\[/.test(line));
  const field = lines.slice(start, end < 0 ? undefined : end).findIndex((line) => name !== '' && line.trim().startsWith(`${name} `));
  return start + 1 + Math.max(field, 0);
}

/** Names become arguments of wrangler, lines of .dev.vars and variables: other letters would say something else there. */
const misnamed = (names) => [...new Set(names)].filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  .map((name) => ({ level: 'error', path: name, message: 'is no name for a secret: expected letters, digits and _' }));

/** What the policy needs and the configuration does not bind. */
function bound(configuration, bindings) {
  const { kv_namespaces: kv = [], durable_objects: objects = {}, services = [], ratelimits = [], queues = {} } = configuration;
  const findings = [];
  const missing = (name, message, hint, path) => {
    if (findings.every((one) => one.name !== name)) findings.push({ level: 'error', name, path: path ?? name, message, hint });
  };
  for (const { kind, name, path } of bindings) {
    if (kind === 'kv') {
      if (!kv.some((one) => one.binding === KV)) missing(KV, 'the policy needs this KV namespace', `[[kv_namespaces]]\nbinding = "${KV}"`);
    } else if (kind === 'service') {
      if (!services.some((one) => one.binding === name)) missing(name, `there is no service binding named ${name}`, `[[services]]\nbinding = ${quoted(name)}\nservice = "…"`, path);
    } else if (kind === 'rateLimiter') {
      if (!ratelimits.some((one) => one.name === name)) missing(name, 'the policy needs this rate-limiting binding', `[[ratelimits]]\nname = ${quoted(name)}`);
    } else if (kind === 'queue') {
      if (!(queues.producers ?? []).some((one) => one.binding === name)) missing(name, 'the policy needs this Queue binding', `[[queues.producers]]\nbinding = ${quoted(name)}\nqueue = "…"`, path);
    } else if (kind === 'function') {
      missing(path, 'the npm package alone has functions', 'kind = "webhook"', path);
    } else {
      missingObject(configuration, OBJECTS[kind], (objects.bindings ?? []), missing);
    }
  }
  return findings.map(({ name, ...finding }) => finding);
}

function missingObject(configuration, { binding, class: name, migration }, bindings, missing) {
  const found = bindings.find((one) => one.name === binding);
  const hint = `[[durable_objects.bindings]]\nname = "${binding}"\nclass_name = "${name}"`;
  if (found === undefined) missing(binding, 'the policy needs this Durable Object', hint);
  else if (found.class_name !== name) missing(binding, `expected class_name ${name}, found ${found.class_name}`, hint);
  // An object of another script has its migrations there.
  else if (found.script_name === undefined && !(configuration.migrations ?? []).some((one) => one.new_sqlite_classes?.includes(name))) {
    const { tag, classes } = migrations().find((one) => one.tag === migration);
    missing(binding, `no migration makes the class ${name}`, `[[migrations]]\ntag = "${tag}"\nnew_sqlite_classes = ${JSON.stringify(classes)}`);
  }
}

function fits(policy) {
  const bytes = Buffer.byteLength(typeof policy === 'string' ? policy : JSON.stringify(policy));
  if (bytes <= VARIABLE_BYTES) return [];
  return [{
    level: 'error', path: 'POLICY', message: `has ${bytes} bytes, and a variable holds ${VARIABLE_BYTES}`,
    hint: `put it into KV under policy/v1, and write POLICY = { source = "kv" }`,
  }];
}

/** What the engine takes, since it may be meant, and a person hardly means. */
function notMeant(policy) {
  const findings = [];
  const note = (path, message) => findings.push({ level: 'warning', path, message });
  for (const { path, found } of examplesIn(policy)) findings.push({ level: 'warning', path, message: `still the example of a guide: ${found}`, example: true });
  const last = policy.routes?.at(-1);
  const takesCredentials = policy.issuers?.length > 0 || policy.api_keys !== undefined;
  if (policy.routes?.length > 0 && last.path !== '/*' && takesCredentials) {
    note('routes', 'no last route for /*: paths that no route names take any good credential');
  }
  if (policy.failed_authentication?.enabled === false) note('failed_authentication', 'is off: nothing bounds guesses');
  return findings;
}

export const hasErrors = (findings) => findings.some((one) => one.level === 'error');
