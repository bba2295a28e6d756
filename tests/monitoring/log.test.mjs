// The lines of a real gate's event log, read by fail2ban, CrowdSec and Sigma with the files of docs/watch/. fail2ban and crowdsec are
// Debian's; the rules of Sigma are made into SQL by pySigma, and asked of SQLite.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { ROOT, temporaryFolder } from '../worker/harness.mjs';
import { crowdsecRoot, ensure, python } from './environment.mjs';
import { ATTACKER, INNOCENT, startAttacked } from './gate.mjs';

const GUESSES = 14;
const rules = (name) => path.join(ROOT, 'docs/watch', name);
const folder = temporaryFolder();
const log = path.join(folder, 'edgegate.log');

let lines;
let attacked;
before(async () => {
  ensure();
  attacked = await startAttacked(GUESSES);
  ({ lines } = attacked);
  writeFileSync(log, `${lines.join('\n')}\n`);
});
after(() => attacked?.gate.dispose());

/** As syslog has it: with a time of its own and the name of a program. A line every `seconds`. */
function syslog(seconds) {
  const start = Date.now() - lines.length * seconds * 1000;
  const stamp = (millis) => new Date(millis).toISOString().replace(/\.\d+Z$/, '+00:00');
  return lines.map((line, at) => `${stamp(start + at * seconds * 1000)} host edgegate[7]: ${line}\n`).join('');
}

describe('fail2ban', () => {
  const found = (file) => execFileSync('fail2ban-regex', ['--out', '<ip>', file, rules('fail2ban-filter.conf')], { encoding: 'utf8' }).trim().split('\n');
  const expected = [...Array(GUESSES).fill(ATTACKER), ...Array(GUESSES / 2).fill('2001:db8:1:2::/64')].sort();

  test('finds who tries credentials out, each time, and nobody else', () => {
    assert.deepEqual(found(log).filter((address) => [ATTACKER, INNOCENT].includes(address) || address.includes(':')).sort(), expected);
  });

  test('finds the same behind the prefix of syslog', () => {
    const file = path.join(folder, 'syslog');
    writeFileSync(file, syslog(1));
    assert.deepEqual(found(file), found(log));
  });

  test('takes the jail', () => {
    const config = path.join(folder, 'fail2ban');
    mkdirSync(path.join(config, 'filter.d'), { recursive: true });
    copyFileSync(rules('fail2ban-filter.conf'), path.join(config, 'filter.d/edgegate.conf'));
    writeFileSync(path.join(config, 'fail2ban.conf'), '[Definition]\n');
    writeFileSync(path.join(config, 'jail.conf'), `[DEFAULT]\nbackend = polling\nusedns = no\n${readFileSync(rules('fail2ban-jail.conf'), 'utf8').replace('/var/log/edgegate.log', log)}`);
    const said = execFileSync('fail2ban-client', ['-c', config, '-d'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    assert.match(said, /'add', 'edgegate'/);
    assert.match(said, /'maxretry', 5/);
  });
});

describe('CrowdSec', () => {
  /** What the engine would have blocked: the local API, of which it wants an answer, is here. */
  async function alerts(text) {
    const taken = [];
    const api = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.setHeader('Content-Type', 'application/json');
      if (request.url === '/v1/watchers/login') response.end(JSON.stringify({ code: 200, expire: '2099-01-01T00:00:00Z', token: 'a.b.c' }));
      else {
        taken.push(...JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(201).end('["1"]');
      }
    });
    api.listen(0, '127.0.0.1');
    await new Promise((resolve) => api.once('listening', resolve));
    try {
      const config = configured(api.address().port);
      const file = path.join(folder, 'crowdsec.log');
      writeFileSync(file, text);
      await promisify(execFile)(path.join(crowdsecRoot, 'usr/bin/crowdsec'), ['-c', config, '-dsn', `file://${file}`, '-type', 'syslog', '-no-api'], { timeout: 60_000 });
    } finally {
      api.close();
    }
    return taken.map(({ scenario, source }) => `${scenario} ${source.value}`).sort();
  }

  test('finds by its own scenario who tries fast, and by ours who tries slowly', async () => {
    const fast = await alerts(syslog(1));
    assert.ok(fast.includes(`crowdsecurity/http-generic-bf ${ATTACKER}`), fast.join('\n'));
    const slow = await alerts(syslog(20));
    assert.deepEqual(slow, [`edgegate/edgegate-slow-bf ${ATTACKER}`]);
    for (const alert of [...fast, ...slow]) assert.ok(!alert.includes(INNOCENT), alert);
  });

  function configured(port) {
    const config = path.join(folder, 'crowdsec');
    const hub = path.join(crowdsecRoot, 'usr/share/crowdsec/hub');
    const put = (from, to) => {
      mkdirSync(path.dirname(path.join(config, to)), { recursive: true });
      copyFileSync(from, path.join(config, to));
    };
    put(path.join(hub, 'parsers/s00-raw/crowdsecurity/syslog-logs.yaml'), 'parsers/s00-raw/syslog-logs.yaml');
    put(path.join(hub, 'parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml'), 'parsers/s02-enrich/dateparse-enrich.yaml');
    put(path.join(hub, 'scenarios/crowdsecurity/http-generic-bf.yaml'), 'scenarios/http-generic-bf.yaml');
    put(rules('crowdsec-parser.yaml'), 'parsers/s01-parse/edgegate.yaml');
    put(rules('crowdsec-scenario.yaml'), 'scenarios/edgegate-slow-bf.yaml');
    mkdirSync(path.join(config, 'data'), { recursive: true });
    try {
      symlinkSync(path.join(crowdsecRoot, 'etc/crowdsec/patterns'), path.join(config, 'patterns'));
    } catch (fault) {
      if (fault.code !== 'EEXIST') throw fault;
    }
    const write = (name, text) => writeFileSync(path.join(config, name), text);
    write('simulation.yaml', 'simulation: false\n');
    write('credentials.yaml', `url: http://127.0.0.1:${port}/\nlogin: a\npassword: b\n`);
    write('config.yaml', JSON.stringify({
      common: { daemonize: false, log_media: 'stdout', log_level: 'info', working_dir: config },
      config_paths: { config_dir: `${config}/`, data_dir: `${config}/data/`, simulation_path: `${config}/simulation.yaml`, hub_dir: `${hub}/`, index_path: `${hub}/.index.json` },
      crowdsec_service: { parser_routines: 1 },
      db_config: { type: 'sqlite', db_path: `${config}/data/crowdsec.db` },
      api: { client: { credentials_path: `${config}/credentials.yaml` }, server: { enable: false } },
      prometheus: { enabled: false },
    }));
    return path.join(config, 'config.yaml');
  }
});

test('each rule of Sigma is valid, finds its events of the gate, and no other', () => {
  // An alert goes to sinks, and a refresh token that came twice needs a session: their lines are as the gate writes them.
  const more = [
    { event: 'firing', rule: 'failures', value: 101, threshold: 100 },
    { event: 'refused', code: 'INVALID_REFRESH_TOKEN', reason: 'refresh_token_reused' },
  ].map((line) => JSON.stringify(line));
  const file = path.join(folder, 'sigma.log');
  writeFileSync(file, `${[...lines, ...more].join('\n')}\n`);
  const program = fileURLToPath(new URL('ask_sigma.py', import.meta.url));
  const found = JSON.parse(execFileSync(python, [program, file, rules('sigma')], { encoding: 'utf8' }));
  assert.deepEqual(Object.keys(found).sort(), readdirSync(rules('sigma')).sort());
  const all = Object.fromEntries(Object.entries(found).map(([name, events]) => [name, [...new Set(events.map(({ event, code, reason, status }) => [event, code, event === 'administered' ? status : reason].join(' ')))].sort()]));
  assert.deepEqual(all, {
    'administration-refused.yml': ['administered INSUFFICIENT_SCOPE 403', 'refused INVALID_TOKEN administrator_secret'],
    'alert-firing.yml': ['firing  '],
    'forged-credential.yml': ['refused INVALID_API_KEY api_key_tag', 'refused INVALID_TOKEN bad_signature'],
    'refresh-token-reused.yml': ['refused INVALID_REFRESH_TOKEN refresh_token_reused'],
    'use-after-revocation.yml': ['refused TOKEN_REVOKED token_revoked'],
  });
});
