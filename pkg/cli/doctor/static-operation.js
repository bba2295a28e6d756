// The sections Monitoring and User Experience of the checklist, by the policy and wrangler's configuration.

import { fail, pass, skip, unknown, warn } from './checklist.js';
import { list } from './policy-facts.js';

/** The rules that are on by default (docs/watch.md). */
const EXPIRY_RULE = 'expiry-ratio';

const WATCH = { path: 'watch', fix: '[watch], and the binding EDGEGATE_WATCH: docs/watch.md' };

const isOff = (watch, rule) => list(watch.rules).some(({ name, off }) => name === rule && off);

/** What wrangler's configuration says of the log: where lines are kept, and where they go. */
function logOf(configuration) {
  if (configuration === undefined) return { known: false };
  const { observability, logpush, tail_consumers: tails } = configuration;
  const logs = observability?.logs;
  const destinations = list(logs?.destinations);
  const sent = [logpush === true && 'Logpush', list(tails).length > 0 && 'a Tail Worker', destinations.length > 0 && `observability (${destinations.join(', ')})`].filter(Boolean);
  const kept = logs?.enabled ?? observability?.enabled ?? false;
  return { known: true, kept: kept || sent.length > 0, sent };
}

const NOT_KEPT = { fix: '[observability] with enabled = true in wrangler.toml' };

export const MONITORING = {
  'failures-logged': ({ policy: { log, watch }, configuration }) => {
    if (log === 'none' && !watch) return fail('nothing is written, and nothing counted', { path: 'log', fix: 'log = "refusals"' });
    if (log === 'none') return warn('they are counted (watch), and no line says which they were', { path: 'log', fix: 'log = "refusals"' });
    const { known, kept } = logOf(configuration);
    const told = `log = "${log}": a line for each${watch ? ', and watch counts them by code and reason' : ''}`;
    if (!known) return warn(`${told}; whether lines are kept is in wrangler's configuration, which is not here`);
    return kept ? pass(told) : warn(`${told}; lines are kept nowhere`, NOT_KEPT);
  },
  'logins-logged': ({ policy: { log, watch } }) => {
    if (log === 'all' && watch) return pass('log = "all": a line for each, with the address; watch: network and program of each caller, once an hour');
    if (log === 'all') return warn('log = "all": a line for each, with the address and without the program', WATCH);
    if (watch) return warn('watch has network and program of each caller once an hour, among its last samples; no line is written', { path: 'log', fix: 'log = "all"' });
    return fail(`log = "${log}": nothing says who was let in`, { path: 'log', fix: 'log = "all", and the section watch' });
  },
  expiry: ({ policy: { watch } }) => {
    if (!watch) return fail('nothing counts them', WATCH);
    return isOff(watch, EXPIRY_RULE) ? fail(`the rule ${EXPIRY_RULE} is off`, { path: 'watch.rules', fix: 'take its off = true out' }) : pass(`the rule ${EXPIRY_RULE} looks at them, and says the most likely cause`);
  },
  alerts: ({ policy: { watch } }) => {
    if (!watch) return fail('nothing looks at patterns', WATCH);
    const sinks = list(watch.sinks);
    if (sinks.length === 0) return fail('rules look, and nobody is told', { path: 'watch.sinks', fix: '[[watch.sinks]]: a webhook, Slack, Datadog, Sentry, OpenTelemetry or a Queue' });
    const off = list(watch.rules).filter((rule) => rule.off).map(({ name }) => name);
    const told = `told: ${sinks.map(({ name, kind }) => `${name} (${kind})`).join(', ')}`;
    return off.length === 0 ? pass(told) : warn(`${told}; off: ${off.join(', ')}`, { path: 'watch.rules' });
  },
  'logs-sent': ({ policy, configuration }) => {
    const { known, sent = [] } = logOf(configuration);
    const sinks = list(policy.watch?.sinks).filter(({ kind }) => ['datadog', 'otlp', 'sentry'].includes(kind)).map(({ name }) => name);
    if (sent.length > 0 && policy.log !== 'none') return pass(`lines go on by ${sent.join(' and ')}`);
    const fix = 'tail_consumers, logpush or observability.logs.destinations in wrangler.toml';
    if (sinks.length > 0) return warn(`alerts go to ${sinks.join(', ')}; lines of the log go nowhere`, { fix });
    return known ? fail('lines of the log go nowhere', { fix }) : unknown("where lines go is in wrangler's configuration, which is not here", { fix });
  },
  dashboard: ({ policy: { watch, admin } }) => {
    if (!watch) return fail('nothing counts successes and failures', WATCH);
    const own = admin ? ', /auth/admin/watch (npx edgegate watch)' : '';
    return pass(`/auth/metrics for Prometheus and Grafana${own}`);
  },
};

/** What is in the policy about how a person has signed in. */
const asksHow = ({ routes, issuers }) => [
  ...routes.flatMap(({ acr_values: classes }, at) => (classes ? [`routes[${at}].acr_values`] : [])),
  ...issuers.flatMap(({ claims }, at) => Object.keys(claims ?? {}).filter((name) => ['acr', 'amr'].includes(name)).map((name) => `issuers[${at}].claims.${name}`)),
];

const OF_ISSUER = { kind: 'none', fix: 'whoever knows the passwords does it: look there, and attest it in doctor.toml' };

export const PEOPLE = {
  errors: () => pass('by construction: a refusal is error, code, hint; why it was refused is for the operator alone (docs/errors.md)'),
  refresh: ({ policy: { sessions, issuers } }) => {
    if (sessions) return pass('POST /auth/refresh, and /auth/token for clients');
    return issuers.length > 0 ? unknown('the issuers of tokens refresh them', { kind: 'none', fix: 'look there and attest it, or have sessions of the gate: docs/sessions.md' }) : skip('the policy takes no tokens');
  },
  logout: ({ policy: { revocation } }) => {
    if (!revocation) return fail('nothing can be taken back before it ends', { path: 'revocation', fix: '[revocation], mode = "entries"' });
    const { mode, on_error: fallback, cache_secs: cache, max_staleness_secs: staleness } = revocation;
    const within = { entries: `within KV's minute and ${cache} s`, snapshot: `within ${staleness} s`, ledger: 'at once' }[mode];
    const told = `mode = "${mode}": refused everywhere ${within}`;
    return fallback === 'allow' ? warn(`${told}; while the store does not answer, what was revoked counts`, { path: 'revocation.on_error', fix: 'on_error = "deny"' }) : pass(told);
  },
  reset: ({ policy: { accounts } }) => {
    if (accounts === undefined) return unknown('the gate keeps no passwords', OF_ISSUER);
    return accounts.mail === undefined
      ? unknown('nobody sends mails for the gate: an administrator sets a new password (accounts set-password)', { ...OF_ISSUER, fix: 'accounts.mail: docs/account-mail.md' })
      : pass('by a link that is good once, for 15 minutes, and ends all sessions');
  },
  mfa: ({ policy }) => {
    const asked = asksHow(policy);
    return asked.length > 0 ? pass(`asked for by ${asked.join(', ')}`) : unknown('no rule asks how a person has signed in', { ...OF_ISSUER, fix: 'acr_values on a route, or attest in doctor.toml that it was considered' });
  },
  remember: ({ policy: { sessions } }) => (sessions
    ? pass('a session with remember = false ends with the browser, and after a day')
    : skip('optional, and whoever issues the tokens has it or not')),
};
