// The project in a folder: wrangler's configuration, the policy in it, the secrets beside it.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseJsonc, printParseErrorCode } from 'jsonc-parser/lib/esm/main.js';
import { parse as parseToml } from 'smol-toml';

import { Failure, misused } from './failure.js';
import { readVars } from './vars.js';

/** In the order in which wrangler looks for them. */
const CONFIGURATIONS = ['wrangler.json', 'wrangler.jsonc', 'wrangler.toml'];

/** The configuration of a folder. */
export function findConfiguration(folder) {
  const found = CONFIGURATIONS.map((name) => path.join(folder, name)).find(existsSync);
  if (found === undefined) {
    throw new Failure(`no ${CONFIGURATIONS.at(-1)} in ${folder}`, { hint: 'npx edgegate init writes one', exitCode: 2 });
  }
  return found;
}

/** What the Worker of a folder is called, if there is one. */
export function nameOfProject(folder, env) {
  const file = CONFIGURATIONS.map((name) => path.join(folder, name)).find(existsSync);
  if (file === undefined) return undefined;
  const { name } = readDocument(file).value ?? {};
  return typeof name === 'string' && env !== undefined ? `${name}-${env}` : name;
}

/** A file of TOML, JSON or JSON with comments, by how its name ends. */
export function readDocument(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw misused(`${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  }
  return { text, value: file.endsWith('.toml') ? fromToml(file, text) : fromJsonc(file, text) };
}

function fromToml(file, text) {
  try {
    return parseToml(text);
  } catch (error) {
    throw new Failure(`${file}:${error.line ?? ''}: ${String(error.message).split('\n')[0]}`, { file, line: error.line });
  }
}

function fromJsonc(file, text) {
  const errors = [];
  const value = parseJsonc(text, errors, { allowTrailingComma: true });
  if (errors.length > 0) {
    const line = text.slice(0, errors[0].offset).split('\n').length;
    throw new Failure(`${file}:${line}: ${printParseErrorCode(errors[0].error)}`, { file, line });
  }
  return value;
}

/**
 * What a file has: wrangler's configuration with a policy in it, or a policy alone. `env` names one of wrangler's environments,
 * whose variables and bindings stand in the place of those at the top.
 */
/** `variable`: the one that holds the policy. */
export function readProject(file, env, variable = 'POLICY') {
  const { text, value } = readDocument(file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Failure(`${file}: expected an object`);
  // Names as in JSON: a policy that stands alone has no `vars`, and no field of its own is called so.
  const isConfiguration = value.vars !== undefined || value.main !== undefined || value.compatibility_date !== undefined;
  if (!isConfiguration) {
    if (env !== undefined) throw misused(`${file} is a policy, and has no environment ${env}`);
    return { file, folder: path.dirname(file), text, policy: file.endsWith('.toml') ? value : text };
  }
  const configuration = env === undefined ? value : inEnvironment(file, value, env);
  const policy = configuration.vars?.[variable];
  if (policy === undefined) {
    const where = env === undefined ? `[vars.${variable}]` : `[env.${env}.vars.${variable}]`;
    throw new Failure(`${file}: there is no ${where}`, { hint: `the policy is the variable ${variable}: an object, or its JSON` });
  }
  return { file, folder: path.dirname(file), text, policy, configuration };
}

/** wrangler inherits neither variables nor bindings into an environment. */
function inEnvironment(file, value, env) {
  const own = value.env?.[env];
  if (own === undefined) throw misused(`${file}: there is no environment ${env}`, `it has ${Object.keys(value.env ?? {}).join(', ') || 'none'}`);
  return { name: `${value.name}-${env}`, ...own, migrations: own.migrations ?? value.migrations };
}

/** The policy as an object. */
export function policyObject({ policy, file }) {
  if (typeof policy !== 'string') return policy;
  try {
    return JSON.parse(policy);
  } catch {
    throw new Failure(`${file}: the policy is no JSON`);
  }
}

/** As wrangler chooses it: that of the environment alone, if there is one. */
export function varsFile(folder, env) {
  const own = env === undefined ? undefined : path.join(folder, `.dev.vars.${env}`);
  return own !== undefined && existsSync(own) ? own : path.join(folder, '.dev.vars');
}

export const varsOf = (project, env) => readVars(varsFile(project.folder, env));
