// Gates that are known by a name: their URL and their administrator's secret, in a file that its owner alone can read (not checked on Windows). A gate that is
// about to be deployed has a secret and no URL yet.

import { existsSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { Failure } from './failure.js';
import { nameOfProject } from './project.js';
import { writePrivate } from './private-file.js';

/** What a command in a project means where nothing else is said: the Worker of that project, by its name. */
export const usualName = () => nameOfProject(process.cwd()) ?? 'default';

export function profilesFile(env = process.env) {
  const folder = process.platform === 'win32' ? env.APPDATA : env.XDG_CONFIG_HOME;
  return path.join(folder || path.join(os.homedir(), '.config'), 'edgegate', 'profiles.json');
}

export function readProfiles(file = profilesFile()) {
  if (!existsSync(file)) return {};
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new Failure(`${file}: others can read it`, { hint: `it holds secrets of administrators: chmod 600 '${file}', and change them if others had access` });
  }
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Failure(`${file}: is no JSON`, { hint: 'delete it, and save the profiles again' });
  }
}

export function saveProfile(name, profile, file = profilesFile()) {
  writePrivate(file, `${JSON.stringify({ ...readProfiles(file), [name]: profile }, null, 2)}\n`);
  return file;
}

export function removeProfile(name, file = profilesFile()) {
  const { [name]: removed, ...rest } = readProfiles(file);
  if (removed === undefined) throw new Failure(`there is no profile ${name}`, { hint: 'npx edgegate profiles list' });
  writePrivate(file, `${JSON.stringify(rest, null, 2)}\n`);
}
