// Texts that are secrets by their form. What is found is named and never repeated.

const SHAPES = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'an API key of the gate': /[a-z0-9]_[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{58}\b/,
  'a refresh token of the gate': /\bedgegate_[rs]t_[\w-]{16,}/,
  'a token': /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/,
  'the secret of a webhook': /\bwhsec_[A-Za-z0-9+/]{24,}/,
  'a webhook of Slack': /hooks\.slack\.com\/(services|workflows)\/\w+\/\w+/,
  'a token of Slack': /\bxox[abeoprs]-[\w-]{10,}/,
  'a token of GitHub': /\b(gh[opsu]_[A-Za-z0-9]{36}|github_pat_\w{60,})/,
  'a key of Stripe': /\b[rs]k_live_[0-9A-Za-z]{24,}(?![0-9A-Za-z]{30})/,
  'a key of AWS': /\bAKIA[0-9A-Z]{16}\b/,
  'a key of Google': /\bAIza[\w-]{35}\b/,
};

/** The kinds of secrets in a text. */
export const secretsIn = (text) => Object.entries(SHAPES).filter(([, shape]) => shape.test(text)).map(([kind]) => kind);

const NAME = /(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|(API|PRIVATE|SIGNING|SECRET|ACCESS)_?KEY)(_\d+)?$/i;
const ADDRESS = /^https?:\/\//;

/** A variable that is a secret by its name, and has a value. `TOKEN_URL` and `API_KEY_HEADER` are none. */
export const isNamedSecret = (name, value) => NAME.test(name) && typeof value === 'string' && value.length >= 8 && !ADDRESS.test(value);
