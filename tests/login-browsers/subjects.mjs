// What people log in through: each subject serves https://app.example.com behind the front of network.mjs.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { closedPort, temporaryFolder } from '../worker/harness.mjs';
import { EDGEGATE } from './edgegate.mjs';
import { ORIGIN, home } from './pages.mjs';
import { startProgram } from './program.mjs';

const secret = () => randomBytes(32).toString('hex');

/** A subject that is a program of Node. `secrets` are those of its cookies, the newest first. */
const nodeProgram = (file, about) => ({
  ...about,
  async start({ issuer, clientSecret, authority }) {
    let secrets = [secret()];
    const port = await closedPort();
    let ahead = 0;
    let program;
    const run = async () => {
      program = await startProgram(file, { origin: ORIGIN, issuer, clientSecret, secrets, port }, { authority });
      await program.tell({ ahead });
    };
    await run();
    return {
      port: () => port,
      async moveClock(millis) {
        ahead = millis;
        await program.tell({ ahead });
      },
      async restart({ rotate = false } = {}) {
        await program.close();
        if (rotate) secrets = [secret(), ...secrets];
        await run();
      },
      close: () => program.close(),
    };
  },
});

const MODULES = '/usr/lib/apache2/modules';
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

const apacheConfiguration = ({ folder, port, upstream, issuer, clientSecret, authority, secrets }) => `
ServerRoot "${folder}"
ServerName ${ORIGIN}
UseCanonicalName On
PidFile apache.pid
DefaultRuntimeDir "${folder}"
Mutex file:${folder} default
Listen 127.0.0.1:${port}
ErrorLog "${folder}/error.log"
LogLevel warn
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'auth_openidc'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
ProxyPass / http://127.0.0.1:${upstream}/
OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID app
OIDCClientSecret ${clientSecret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCCABundlePath ${authority}
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCRedirectURI ${ORIGIN}/oidc/callback
OIDCCryptoPassphrase ${secrets[0]}
OIDCXForwardedHeaders X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
`;

const modAuthOpenidc = {
  name: 'mod_auth_openidc',
  callback: `${ORIGIN}/oidc/callback`,
  logout: `/oidc/callback?logout=${encodeURIComponent(`${ORIGIN}/`)}`,
  isInstalled: () => existsSync(`${MODULES}/mod_auth_openidc.so`),
  async start(settings) {
    const folder = temporaryFolder();
    const upstream = http.createServer((request, response) => response.setHeader('Content-Type', 'text/html').end(home('person')));
    await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const clock = path.join(folder, 'clock');
    writeFileSync(clock, '+0');
    const port = await closedPort();
    let secrets = [secret()];
    let apache;
    const run = async () => {
      writeFileSync(path.join(folder, 'apache.conf'), apacheConfiguration({ ...settings, folder, port, upstream: upstream.address().port, secrets }));
      const env = existsSync(FAKETIME) ? { ...process.env, LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_CACHE_DURATION: '1' } : process.env;
      apache = spawn('/usr/sbin/apache2', ['-X', '-f', path.join(folder, 'apache.conf')], { stdio: ['ignore', 'ignore', 'inherit'], env });
      for (let attempt = 0; !(await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' }).then(() => true, () => false)); attempt += 1) {
        if (attempt > 400 || apache.exitCode !== null) throw new Error('Apache did not start');
        await sleep(25);
      }
    };
    const stop = async () => {
      apache.kill('SIGKILL');
      await once(apache, 'exit');
    };
    await run();
    return {
      port: () => port,
      log: path.join(folder, 'error.log'),
      async moveClock(millis) {
        writeFileSync(clock, `${millis < 0 ? '-' : '+'}${Math.abs(Math.round(millis / 1000))}`);
        // faketime looks at the file once a second.
        await sleep(1200);
      },
      async restart({ rotate = false } = {}) {
        await stop();
        if (rotate) secrets = [secret()];
        await run();
      },
      async close() {
        await stop();
        upstream.close();
      },
    };
  },
};

/** All of them, by name. */
export const SUBJECTS = [
  EDGEGATE,
  nodeProgram('subjects/hono.mjs', { name: '@hono/oidc-auth', callback: `${ORIGIN}/callback`, logout: '/logout', isInstalled: () => true }),
  nodeProgram('subjects/express.mjs', { name: 'express-openid-connect', callback: `${ORIGIN}/callback`, logout: '/logout', isInstalled: () => true }),
  modAuthOpenidc,
];
