// `edgegate/sinks`: alerts on the standard output, and in a real rsyslog by UDP and TCP; over TLS in a receiver of the test's own.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { syslogSink } from '../../pkg/wasm/sinks.js';
import { closedPort } from '../worker/harness.mjs';
import { until } from './redis-server.mjs';

const AT = 1_800_000_000_123;
const FIRING = { v: 1, id: '0'.repeat(36), event: 'firing', at: AT, n: 1, rule: 'failures', group: 'a "quoted" ünit', value: 101, threshold: 100 };
const RESOLVED = { ...FIRING, event: 'resolved', value: 0 };

function folderOf(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgegate-syslog-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** rsyslog, which writes each message as it has understood it. */
async function startRsyslog(t) {
  const folder = folderOf(t);
  const [udp, tcp] = [await closedPort(), await closedPort()];
  const [file, configuration] = [path.join(folder, 'messages'), path.join(folder, 'rsyslog.conf')];
  const parts = ['syslogfacility-text', 'syslogseverity-text', 'app-name', 'procid', 'msgid', 'timestamp:::date-rfc3339', 'structured-data', 'msg'];
  writeFileSync(configuration, `
module(load="imudp")
module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="${udp}")
input(type="imtcp" address="127.0.0.1" port="${tcp}")
template(name="parts" type="string" string="${parts.map((part) => `%${part}%`).join('|')}\\n")
*.* action(type="omfile" file="${file}" template="parts")
`);
  writeFileSync(file, '');
  const server = spawn('rsyslogd', ['-n', '-f', configuration, '-i', path.join(folder, 'pid')], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  const ended = new Promise((resolve, reject) => {
    server.once('exit', resolve);
    server.once('error', reject);
  });
  t.after(() => {
    server.kill('SIGKILL');
    return ended;
  });
  await Promise.race([ended.then(() => { throw new Error('rsyslogd has ended'); }), until(() => new Promise((resolve) => {
    const probe = net.connect({ host: '127.0.0.1', port: tcp }, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  }))]);
  return { udp, tcp, lines: () => readFileSync(file, 'utf8').split('\n').filter((line) => line.includes('|edgegate|') || line.includes('|gate-1|')) };
}

test('a real rsyslog understands every part of what it is sent, by UDP and by TCP', async (t) => {
  const { udp, tcp, lines } = await startRsyslog(t);
  for (const [transport, port] of [['udp', udp], ['tcp', tcp]]) {
    await syslogSink({ transport, port })(FIRING);
    await until(() => lines().length > 0 && lines().at(-1).includes('"firing"'));
    await syslogSink({ transport, port, facility: 'local3', appName: 'gate-1' })(RESOLVED);
    await until(() => lines().at(-1).includes('"resolved"'));
  }
  assert.equal(lines().length, 4);
  const read = lines().map((line) => line.split('|')).map(([facility, severity, app, pid, id, at, data, message]) => (
    { facility, severity, app, pid, id, at: Date.parse(at), data, event: JSON.parse(message) }
  ));
  const firing = { facility: 'authpriv', severity: 'err', app: 'edgegate', pid: `${process.pid}`, id: 'firing', at: AT, data: '-', event: FIRING };
  const resolved = { ...firing, facility: 'local3', severity: 'notice', app: 'gate-1', id: 'resolved', event: RESOLVED };
  assert.deepEqual(read, [firing, resolved, firing, resolved]);
});

test('over TLS with the length in front; not to one whose certificate is not trusted', async (t) => {
  const folder = folderOf(t);
  const [keyFile, certFile] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  writeFileSync(keyFile, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await promisify(execFile)('openssl', ['req', '-x509', '-new', '-key', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=syslog.test', '-addext', 'subjectAltName=DNS:localhost']);
  const ca = readFileSync(certFile);
  const got = [];
  const server = tls.createServer({ key: readFileSync(keyFile), cert: ca }, async (socket) => {
    const chunks = [];
    for await (const chunk of socket) chunks.push(chunk);
    got.push(Buffer.concat(chunks));
    socket.end();
  });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => { server.listen(0, 'localhost', resolve); });
  t.after(() => server.close());
  const at = { host: 'localhost', port: server.address().port, transport: 'tls' };
  await syslogSink({ ...at, tls: { ca } })(FIRING);
  assert.equal(got.length, 1);
  const [, length, frame] = /^(\d+) (.*)$/s.exec(got[0].toString());
  assert.equal(Buffer.byteLength(frame), Number(length));
  assert.match(frame, new RegExp(`^<83>1 2027-01-15T08:00:00\\.123Z \\S+ edgegate ${process.pid} firing - \\{"v":1,`));
  await assert.rejects(syslogSink(at)(FIRING), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  await assert.rejects(syslogSink({ ...at, host: '127.0.0.1', tls: { ca } })(FIRING));
  assert.equal(got.length, 1);
});

test('a syslog that is not there, or an event that does not fit, is an error: it is sent again', async () => {
  await assert.rejects(syslogSink({ transport: 'tcp', port: await closedPort() })(FIRING), { code: 'ECONNREFUSED' });
  await assert.rejects(syslogSink()({ ...FIRING, group: 'x'.repeat(2048) }), { message: 'longer than a datagram may be, expected transport tcp or tls' });
});

test('options that are none are refused', () => {
  for (const [options, message] of [
    [{ transport: 'http' }, 'transport: expected one of udp, tcp, tls'], [{ port: 0 }, 'port: expected 1 to 65535'], [{ host: '' }, 'host: expected a name or an address'],
    [{ appName: 'a b' }, 'appName: expected 1 to 48 visible ASCII characters'], [{ app_name: 'a' }, 'app_name: is not a known option, expected appName'],
    [{ facility: 'kern' }, 'facility: expected one of user, daemon, auth, authpriv, local0, local1, local2, local3, local4, local5, local6, local7'],
  ]) assert.throws(() => syslogSink(options), { name: 'TypeError', message: `edgegate: ${message}` });
});

test('the standard output gets a line of JSON for each', async () => {
  const module = pathToFileURL(fileURLToPath(new URL('../../pkg/wasm/sinks.js', import.meta.url)));
  const program = `import { stdoutSink } from '${module}'; for (const event of [${JSON.stringify(FIRING)}, ${JSON.stringify(RESOLVED)}]) await stdoutSink()(event);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  assert.deepEqual(stdout.trimEnd().split('\n').map((line) => JSON.parse(line)), [FIRING, RESOLVED]);
  // Nobody reads: that is an error of the sink, and not the end of the process.
  const deaf = `import { stdoutSink } from '${module}'; setTimeout(() => stdoutSink()(${JSON.stringify(FIRING)}).catch(({ code }) => process.stderr.write(code)), 300);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', deaf]);
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (chunk) => { said += chunk; });
  const [code] = await once(child, 'close');
  assert.deepEqual([code, said], [0, 'EPIPE']);
});
