// The Rust crate `oauth2`, in the program beside this file.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MANIFEST = fileURLToPath(new URL('rust/Cargo.toml', import.meta.url));

export async function rustClient(server) {
  const { refresh_token: refreshToken } = await server.sessions.open({ client_id: 'app' });
  const build = ['run', '--locked', '--quiet', '--manifest-path', MANIFEST, '--'];
  await promisify(execFile)('cargo', [...build, server.origin, 'app', server.secrets.app, refreshToken]);
}
