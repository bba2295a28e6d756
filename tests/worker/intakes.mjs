// Intakes of others, as strict as their documents say: none of them has a server that could be run here, so this is no proof that they
// take what the gate sends, but that it keeps what they have written down. An HTTP server with a path for each.
//
// - Sentry: develop.sentry.dev/sdk/envelopes, …/event-payloads, …/overview (authentication): the only content type, 403 without the key, 413
//   beyond 1 MB, lengths, ids of 32 small hexadecimal digits, fields that are known, 200 characters a tag.
// - Datadog: docs.datadoghq.com/api/latest/logs/#send-logs and /logs/log_collection: 403 without the key, 413 beyond 5 MB, 1,000 logs of
//   1 MB, 256 attributes with keys under 50 characters and ten levels, times of the last 18 hours, 202.
// - OpenTelemetry: opentelemetry.io/docs/specs/otlp: `/v1/logs`, JSON, 200 with an object. What is in it is checked by its own types
//   (tests/watch/).
// - Slack: an incoming webhook takes `{"text"}` and says `ok`.

import { Receiver } from './receiver.mjs';

const MEGABYTE = 1_000_000;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export class Intakes extends Receiver {
  /** How many requests the intake of a path answers with 429 first. */
  busy = new Map();

  constructor(keys) {
    super();
    this.keys = keys;
  }

  /** Keeps what was refused too, and what the intake said. */
  take(sent) {
    const busy = this.busy.get(sent.url) ?? 0;
    this.busy.set(sent.url, busy - 1);
    const [status, fault, said = '{}'] = busy > 0 ? [429, 'busy'] : judged(sent, this.keys);
    this.taken.push({ ...sent, status, fault });
    return [status, busy > 0 ? { 'Retry-After': '5' } : {}, fault ?? said];
  }
}

/** Status, fault and answer. */
function judged({ url, headers, body }, keys) {
  const type = headers['content-type'];
  if (url.startsWith('/api/') && url.endsWith('/envelope/')) return sentry(headers, type, body, keys.sentry);
  if (url === '/api/v2/logs') return datadog(headers, type, body, keys.datadog);
  if (url === '/v1/logs') return otlp(headers, type, body, keys.otlp);
  if (url.startsWith('/services/')) return slack(type, body);
  // Anything else takes everything: a webhook, a consumer of a queue.
  return [202];
}

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const SENTRY_FIELDS = ['event_id', 'timestamp', 'platform', 'level', 'logger', 'transaction', 'server_name', 'release', 'dist', 'tags', 'environment', 'extra', 'fingerprint', 'message', 'user', 'request', 'contexts', 'sdk'];

function sentry(headers, type, body, key) {
  if (type !== 'application/x-sentry-envelope') return [415, `another content type: ${type}`];
  const auth = headers['x-sentry-auth'] ?? '';
  const given = Object.fromEntries(auth.replace(/^Sentry /, '').split(', ').map((pair) => pair.split('=')));
  if (!auth.startsWith('Sentry ') || given.sentry_version !== '7' || given.sentry_key !== key) return [403, 'not authenticated'];
  if (Buffer.byteLength(body) > MEGABYTE) return [413, 'more than a megabyte'];
  const lines = body.split('\n');
  const [envelope, item] = lines.map(parsed);
  if (!isObject(envelope) || !/^[0-9a-f]{32}$/.test(envelope.event_id) || !RFC3339.test(envelope.sent_at)) return [400, 'no header of an envelope'];
  if (!isObject(item) || item.type !== 'event') return [400, 'no header of an event'];
  // The payload is as long as it says, and then there is a line break, or nothing.
  const bytes = Buffer.from(lines.slice(2).join('\n'));
  const after = bytes.subarray(item.length).toString();
  if (bytes.length < item.length || !['', '\n'].includes(after)) return [400, 'another length than it says'];
  const fault = eventFault(parsed(bytes.subarray(0, item.length).toString()), envelope);
  return fault ? [400, fault] : [200, undefined, JSON.stringify({ id: envelope.event_id })];
}

function eventFault(event, { event_id: id }) {
  if (!isObject(event)) return 'no event';
  const unknown = Object.keys(event).filter((name) => !SENTRY_FIELDS.includes(name));
  if (unknown.length > 0) return `fields that are not known: ${unknown}`;
  if (event.event_id !== id) return 'two ids';
  if (!RFC3339.test(event.timestamp) && typeof event.timestamp !== 'number') return 'no time';
  if (!['other', 'javascript', 'node', 'native'].includes(event.platform)) return 'no platform';
  if (!['fatal', 'error', 'warning', 'info', 'debug'].includes(event.level)) return 'no level';
  if (!isObject(event.message) || typeof event.message.formatted !== 'string' || event.message.formatted.length > 8192) return 'no message';
  const tags = Object.entries(event.tags ?? {});
  if (tags.some(([name, value]) => !/^[\w.:-]{1,32}$/.test(name) || typeof value !== 'string' || value.length > 200 || value.includes('\n'))) return 'no tags';
  if (!(event.fingerprint ?? []).every((part) => typeof part === 'string')) return 'no fingerprint';
  if (!Object.values(event.contexts ?? {}).every(isObject)) return 'no contexts';
  return undefined;
}

const DATADOG_STATUS = ['emergency', 'alert', 'critical', 'error', 'warn', 'warning', 'notice', 'info', 'debug', 'ok'];
const HOUR = 3_600_000;

function datadog(headers, type, body, key) {
  if (headers['dd-api-key'] !== key) return [403, 'another key'];
  if (type !== 'application/json') return [400, `another content type: ${type}`];
  if (Buffer.byteLength(body) > 5 * MEGABYTE) return [413, 'more than five megabytes'];
  const logs = parsed(body);
  if (!Array.isArray(logs) || logs.length === 0 || logs.length > 1000) return [400, 'no list of 1 to 1,000 logs'];
  for (const log of logs) {
    if (!isObject(log) || Buffer.byteLength(JSON.stringify(log)) > MEGABYTE) return [400, 'no log, or one of more than a megabyte'];
    const keys = attributes(log);
    if (keys.length >= 256 || keys.some((path) => path.at(-1).length >= 50 || path.length >= 10)) return [400, 'attributes that are too many, too long or too deep'];
    if (typeof log.message !== 'string' || !DATADOG_STATUS.includes(log.status)) return [400, 'no message, or no status'];
    // It says 202 to those that it then drops.
    if (!(log.timestamp > Date.now() - 18 * HOUR && log.timestamp < Date.now() + 2 * HOUR)) return [400, 'a time that is dropped'];
  }
  return [202];
}

/** The paths of all attributes. */
const attributes = (value, path = []) => Object.entries(value).flatMap(([name, inner]) => [[...path, name], ...(isObject(inner) ? attributes(inner, [...path, name]) : [])]);

function otlp(headers, type, body, key) {
  if (headers.authorization !== key) return [401, 'not authenticated'];
  if (type !== 'application/json') return [415, `another content type: ${type}`];
  const records = parsed(body)?.resourceLogs?.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)) ?? [];
  if (records.length === 0) return [400, 'no records'];
  return records.every((one) => /^\d{19}$/.test(one.timeUnixNano) && one.severityNumber >= 1 && one.severityNumber <= 24) ? [200] : [400, 'no record'];
}

function slack(type, body) {
  const message = parsed(body);
  const isMessage = type === 'application/json' && isObject(message) && Object.keys(message).join() === 'text' && typeof message.text === 'string';
  return isMessage ? [200, undefined, 'ok'] : [400, 'invalid_payload'];
}
