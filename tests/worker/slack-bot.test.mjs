// The example of a Slack bot: its own policy, with Slack on loopback.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { unstable_readConfig as readConfig } from 'wrangler';

import { ROOT, SECRETS, start } from './harness.mjs';
import { BINDING } from './login.mjs';
import { Sessions, sessionWorker } from './sessions.mjs';
import { SLACK_CLIENT, Slack } from './slack.mjs';

const { vars, durable_objects: { bindings } } = readConfig({ config: path.join(ROOT, 'examples/slack-bot/wrangler.toml') }, { hideWarnings: true });
const secrets = { ...SECRETS, GITHUB_CLIENT_SECRET: 'a secret of GitHub', SLACK_CLIENT_SECRET: SLACK_CLIENT.secret };

let slack;
let gate;
let sessions;

before(async () => {
  slack = await new Slack().start();
  const policy = structuredClone(vars.POLICY);
  const bot = policy.login.providers.find(({ id }) => id === 'slack');
  Object.assign(bot, { client_id: SLACK_CLIENT.id, endpoints: slack.provider().endpoints });
  for (const route of policy.routes.filter(({ grant }) => grant)) route.upstream.url = route.upstream.url.replace('https://slack.com', slack.origin);
  // A back end of the test opens the session in the place of GitHub.
  policy.admin = { secret: 'ADMIN_TOKEN' };
  gate = await start([sessionWorker({ policy, secrets })], { secrets });
  sessions = new Sessions(gate, 'gate');
});

after(async () => {
  await gate?.dispose();
  await slack?.stop();
});

test('it binds what its policy needs', async () => {
  assert.ok(bindings.some(({ name, class_name: of }) => name === 'EDGEGATE_GRANTS' && of === 'GrantObject'));
  assert.equal((await gate.get('/auth/health')).status, 200);
});

test('whoever is logged in adds the bot and posts to a channel', async () => {
  const session = await sessions.open({ scopes: [] });
  const options = { token: session.access_token, host: `127.0.0.1:${gate.port('gate')}` };
  const post = () => sessions.post('/slack/chat.postMessage', { ...options, body: { channel: '#general', text: 'hello' } });
  assert.equal((await post()).json().code, 'CONNECT_REQUIRED');
  const begun = await sessions.form('/auth/connect/slack', { return_to: '/dashboard' }, options);
  const [binding] = begun.headers['set-cookie'].find((line) => line.startsWith(BINDING)).split(';');
  const { pathname, search } = slack.allow(begun.headers.location);
  const back = await sessions.get(`${pathname}${search}`, { ...options, headers: { Cookie: binding } });
  assert.deepEqual([back.status, back.headers.location], [303, '/dashboard']);
  const posted = await post();
  assert.equal(posted.status, 200, posted.text);
  assert.deepEqual(JSON.parse(slack.posted.at(-1).body), { channel: '#general', text: 'hello' });
  assert.equal(slack.posted.at(-1).team.name, 'Acme');
});
