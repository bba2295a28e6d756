// Apache with Debian's mod_oauth2, in C, as a service that has never heard of edgegate: it checks tokens by the published keys, and by asking.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { closedPort, temporaryFolder } from '../worker/harness.mjs';

const MODULES = '/usr/lib/apache2/modules';

/** `/keys` is guarded by the published keys, `/asked` by introspection. */
const configuration = ({ port, folder, server }) => `
ServerRoot "${folder}"
ServerName 127.0.0.1
PidFile apache.pid
DefaultRuntimeDir "${folder}"
Mutex file:${folder} default
Listen 127.0.0.1:${port}
ErrorLog "${folder}/error.log"
LogLevel warn oauth2:debug
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'oauth2'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
<IfFile "${MODULES}/mod_unixd.so">
  LoadModule unixd_module ${MODULES}/mod_unixd.so
</IfFile>
DocumentRoot "${folder}/public"
<Location />
  AuthType oauth2
  <RequireAll>
    Require valid-user
    Require oauth2_claim iss:${server.issuer}
    Require oauth2_claim aud:${server.audience}
    Require oauth2_claim scope:read:posts
  </RequireAll>
</Location>
<Location /keys>
  OAuth2TokenVerify jwks_uri ${server.origin}/.well-known/jwks.json
</Location>
<Location /asked>
  OAuth2TokenVerify introspect ${server.origin}/auth/introspect introspect.auth=client_secret_basic&client_id=service&client_secret=${server.secrets.service}
</Location>
`;

/** Apache in front of two files, for tokens of this gate. */
export async function startApache(server) {
  if (!existsSync(`${MODULES}/mod_oauth2.so`)) throw new Error('mod_oauth2 is not installed: apt-get install apache2-bin libapache2-mod-oauth2');
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'public'));
  for (const name of ['keys', 'asked']) writeFileSync(path.join(folder, 'public', name), name);
  const port = await closedPort();
  writeFileSync(path.join(folder, 'apache.conf'), configuration({ port, folder, server }));
  const apache = spawn('/usr/sbin/apache2', ['-X', '-f', path.join(folder, 'apache.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ask = async (target, token) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${port}${target}`, { headers })).status;
  };
  for (let attempt = 0; ; attempt += 1) {
    assert.equal(apache.exitCode, null, 'Apache did not start');
    if (await ask('/').then(() => true, () => false)) break;
    assert.ok(attempt < 400, 'Apache does not answer');
    await sleep(25);
  }
  const dispose = async () => {
    if (apache.exitCode !== null) return;
    apache.kill('SIGKILL');
    await once(apache, 'exit');
  };
  return { ask, dispose };
}

/** A user's token is taken in both ways, that of another scope or a changed one in none; one that was revoked is refused where it is asked about. */
export async function resourceServer(server) {
  const apache = await startApache(server);
  try {
    const { access_token: access } = await server.sessions.open({ scopes: ['read:posts'] });
    const { access_token: unscoped } = await server.sessions.open({ scopes: [] });
    const changed = `${access.slice(0, -8)}AAAAAAAA`;
    // A secret has no public key (HS256), and Debian's mod_oauth2 knows no EdDSA: both have to ask.
    const isChecked = !['HS256', 'EdDSA'].includes(server.algorithm);
    if (!isChecked) assert.equal(await apache.ask('/keys', access), 401);
    for (const way of isChecked ? ['/keys', '/asked'] : ['/asked']) {
      assert.deepEqual([await apache.ask(way, access), await apache.ask(way), await apache.ask(way, changed)], [200, 401, 401], way);
      assert.ok([401, 403].includes(await apache.ask(way, unscoped)), way);
    }
    // Apache keeps answers for a while, so it has not asked about this one.
    const { access_token: revoked } = await server.sessions.open({ scopes: ['read:posts'] });
    assert.equal((await server.sessions.form('/auth/revoke', { token: revoked })).status, 200);
    assert.equal(await apache.ask('/asked', revoked), 401);
  } finally {
    await apache.dispose();
  }
}
