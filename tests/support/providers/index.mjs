// The providers by name.

import { generateKeyPairSync } from 'node:crypto';

import { apple } from './apple.mjs';
import { AUTH0_USER, auth0 } from './auth0.mjs';
import { cognito } from './cognito.mjs';
import { NELLY, discord } from './discord.mjs';
import { OCTOCAT, github } from './github.mjs';
import { gitlab } from './gitlab.mjs';
import { google } from './google.mjs';
import { keycloak } from './keycloak.mjs';
import { ENTRA_USER, microsoft } from './microsoft.mjs';
import { oidc } from './oidc.mjs';
import { OKTA_USER, okta } from './okta.mjs';
import { ANN, Provider } from './provider.mjs';
import { SLACK_USER, slack, slackBot } from './slack.mjs';

export const KINDS = Object.fromEntries(
  [google, github, slack, slackBot, microsoft, apple, gitlab, discord, auth0, okta, keycloak, cognito, oidc].map((kind) => [kind.name, kind]),
);

/** Who is signed in at each. */
const USERS = {
  google: { ...ANN, sub: '10769150350006150715113082367', hd: 'corp.example' },
  github: OCTOCAT,
  slack: SLACK_USER,
  'slack-bot': SLACK_USER,
  microsoft: ENTRA_USER,
  apple: { ...ANN, sub: '000792.d71059495fa24644b94e4a644e2e3b4a.0638' },
  discord: NELLY,
  auth0: AUTH0_USER,
  okta: OKTA_USER,
};

/** Starts one. Whoever starts it has to `close` it. */
export async function startProvider(name, { client = {}, ...options } = {}) {
  const own = name === 'apple' ? appleClient() : {};
  const provider = new Provider(KINDS[name], { ...options, client: { ...own, ...client } });
  provider.user = USERS[name] ?? ANN;
  return provider.listen();
}

function appleClient() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { teamId: 'DEF123GHIJ', keyId: 'ABC123DEFG', publicKey, privateKey };
}
