// Debian's Prometheus reads a real gate's metrics, its alerts fire by the rules of docs/watch/, and Debian's Alertmanager sends them on.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { ROOT, closedPort, freshIp, temporaryFolder, token } from '../worker/harness.mjs';
import { startAttacked } from './gate.mjs';

const RULES = path.join(ROOT, 'docs/watch/prometheus-rules.yml');
const folder = temporaryFolder();
const programs = [];
const told = [];

let receiver;
let attacked;
let prometheus;

before(async () => {
  attacked = await startAttacked(2);
  receiver = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    told.push(...JSON.parse(Buffer.concat(chunks).toString()).alerts);
    response.end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => receiver.once('listening', resolve));
  const alertmanager = await startAlertmanager(receiver.address().port);
  prometheus = await startPrometheus(attacked, alertmanager);
});
after(async () => {
  for (const program of programs) program.kill('SIGTERM');
  receiver?.closeAllConnections();
  receiver?.close();
  await attacked?.gate.dispose();
});

function run(program, words) {
  const running = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  running.stderr.on('data', (chunk) => { said = (said + chunk).slice(-4000); });
  programs.push(running);
  return () => said;
}

async function ready(url, said) {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error(`${url} is not ready:\n${said()}`);
}

async function startAlertmanager(port) {
  const own = await closedPort();
  const config = path.join(folder, 'alertmanager.yml');
  writeFileSync(config, `route: { receiver: test, group_by: [alertname], group_wait: 0s, group_interval: 1s }
receivers: [{ name: test, webhook_configs: [{ url: 'http://127.0.0.1:${port}/' }] }]
`);
  const said = run('prometheus-alertmanager', [`--config.file=${config}`, `--storage.path=${folder}/alertmanager`, `--web.listen-address=127.0.0.1:${own}`, '--cluster.listen-address=']);
  await ready(`http://127.0.0.1:${own}/-/ready`, said);
  return own;
}

/** With what docs/watch/prometheus.yml says, but for the addresses, the files, and how often. */
async function startPrometheus({ gate, metricsSecret }, alertmanager) {
  const own = await closedPort();
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, metricsSecret);
  const shipped = readFileSync(path.join(ROOT, 'docs/watch/prometheus.yml'), 'utf8');
  const config = path.join(folder, 'prometheus.yml');
  const change = (text, from, to) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  };
  writeFileSync(config, [
    ['scheme: https', 'scheme: http'], ['scrape_interval: 30s', 'scrape_interval: 1s\n    scrape_timeout: 1s'],
    ['/etc/prometheus/edgegate-metrics-secret', secret], ['api.example.com', `127.0.0.1:${gate.port()}`], ['/etc/prometheus/edgegate-rules.yml', RULES],
  ].reduce((text, [from, to]) => change(text, from, to), shipped)
    + `\nglobal: { evaluation_interval: 1s }\nalerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanager}'] }] }] }\n`);
  execFileSync('promtool', ['check', 'config', config], { stdio: 'ignore' });
  const said = run('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${folder}/prometheus`, `--web.listen-address=127.0.0.1:${own}`]);
  await ready(`http://127.0.0.1:${own}/-/ready`, said);
  return own;
}

const query = async (expression) => {
  const answer = await fetch(`http://127.0.0.1:${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`);
  return (await answer.json()).data.result;
};

const eventually = async (what, ask) => {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await ask();
    if (found) return found;
    await sleep(100);
  }
  throw new Error(`not within 30 s: ${what}`);
};

describe('Prometheus', () => {
  test('reads the metrics with the secret', async () => {
    await eventually('a scrape', async () => (await query('up{job="edgegate"} == 1')).length === 1);
    const [{ value: [, failures] }] = await query('sum(edgegate_failed_authentications_total)');
    assert.ok(Number(failures) >= 3, failures);
  });

  test('fires once more than 100 credentials are bad, and Alertmanager sends it on', async () => {
    for (let at = 0; at < 150; at += 1) await attacked.gate.get('/v1/other', { token: token({}, { secret: 'x'.repeat(32) }), ip: freshIp() });
    await attacked.gate.admin('GET', '/watch');
    const find = (name) => eventually(name, () => told.find(({ labels, status }) => labels.alertname === name && status === 'firing'));
    const own = await find('EdgegateRuleFiring');
    assert.deepEqual([own.labels.rule, own.labels.severity, own.annotations.summary], ['failures', 'warning', 'edgegate: the rule failures is firing']);
    const counted = await find('EdgegateFailedAuthentications');
    assert.match(counted.annotations.summary, /^edgegate: 1\d\d(\.\d+)? credentials were bad in five minutes$/);
    assert.deepEqual(told.filter(({ labels }) => ['EdgegateDown', 'EdgegateCountsLost', 'EdgegateNothingCounted'].includes(labels.alertname)), []);
  });
});

test('promtool: each rule fires where it should, and stays quiet where it should', () => {
  execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' });
  execFileSync('promtool', ['test', 'rules', fileURLToPath(new URL('prometheus-rules.test.yml', import.meta.url))], { encoding: 'utf8' });
});

describe('the board of Grafana', () => {
  const { panels } = JSON.parse(readFileSync(path.join(ROOT, 'docs/watch/grafana-board.json'), 'utf8'));
  for (const { title, targets } of panels) {
    test(`Prometheus answers the panel ${title}`, async () => {
      for (const { expr } of targets) {
        const answer = await (await fetch(`http://127.0.0.1:${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}`)).json();
        assert.equal(answer.status, 'success', `${expr}: ${answer.error}`);
      }
    });
  }
});
