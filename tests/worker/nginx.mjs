// Where nginx is installed.

import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The path of the program; an error if there is none. */
export function findNginx() {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  const found = folders.map((folder) => path.join(folder, 'nginx')).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error('nginx is not installed: apt-get install nginx-light');
  return found;
}
