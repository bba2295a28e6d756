import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import process from 'node:process';
import { connect as connectTls } from 'node:tls';

import { expectedName } from './lib/check.js';

/** A line each, so that it is one entry wherever lines are collected. */
export const stdoutSink = () => (event) => new Promise((resolve, reject) => {
  // If nobody reads any more, the stream tells it by an event too, which would end the process.
  process.stdout.once('error', reject);
  process.stdout.write(`${JSON.stringify(event)}\n`, (fault) => {
    if (fault) return;
    process.stdout.off('error', reject);
    resolve();
  });
});

/** The facilities that programs may use (RFC 5424 §6.2.1). */
const FACILITIES = {
  user: 1, daemon: 3, auth: 4, authpriv: 10, local0: 16, local1: 17, local2: 18, local3: 19, local4: 20, local5: 21, local6: 22, local7: 23,
};
const ERROR = 3;
const WARNING = 4;
const NOTICE = 5;
const INFORMATIONAL = 6;
const SEVERITIES = { firing: ERROR, refused: WARNING, resolved: NOTICE };

/** For connecting and sending together. */
const TIMEOUT_MILLIS = 5000;
/** As much as every receiver should take (RFC 5426 §3.2). What is longer may not arrive whole. */
const MAX_DATAGRAM = 2048;

const OPTIONS = ['host', 'port', 'transport', 'facility', 'appName', 'tls'];
const TRANSPORTS = ['udp', 'tcp', 'tls'];
const DEFAULT_PORTS = { udp: 514, tcp: 601, tls: 6514 };

/** `syslogSink` of sinks.d.ts. */
export function syslogSink(options = {}) {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw invalid(unknown, `is not a known option, expected ${expectedName(OPTIONS, unknown)}`);
  const { host = '127.0.0.1', transport = 'udp', facility = 'authpriv', appName = 'edgegate', tls = {} } = options;
  if (!TRANSPORTS.includes(transport)) throw invalid('transport', `expected one of ${TRANSPORTS.join(', ')}`);
  const { port = DEFAULT_PORTS[transport] } = options;
  if (typeof host !== 'string' || host === '') throw invalid('host', 'expected a name or an address');
  if (!Number.isSafeInteger(port) || port < 1 || port > 0xffff) throw invalid('port', 'expected 1 to 65535');
  if (!Object.hasOwn(FACILITIES, facility)) throw invalid('facility', `expected one of ${Object.keys(FACILITIES).join(', ')}`);
  if (!/^[!-~]{1,48}$/.test(appName)) throw invalid('appName', 'expected 1 to 48 visible ASCII characters');
  const send = transport === 'udp' ? sendDatagram : sendFrame;
  return async (event) => send({ host, port, transport, tls }, Buffer.from(line(event, FACILITIES[facility], appName)));
}

/** `PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG` (RFC 5424 §6). The message is the event as JSON, without line breaks. */
function line(event, facility, appName) {
  const priority = facility * 8 + (SEVERITIES[event.event] ?? INFORMATIONAL);
  const name = hostname().replace(/[^!-~]/g, '').slice(0, 255) || '-';
  return `<${priority}>1 ${new Date(event.at).toISOString()} ${name} ${appName} ${process.pid} ${event.event} - ${JSON.stringify(event)}`;
}

/** RFC 5426: one message in one datagram. Whether it arrives nobody tells. */
async function sendDatagram({ host, port }, message) {
  if (message.length > MAX_DATAGRAM) throw new Error('longer than a datagram may be, expected transport tcp or tls');
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  try {
    await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.send(message, port, host, (fault) => (fault ? reject(fault) : resolve()));
    });
  } finally {
    socket.close();
  }
}

/**
 * RFC 6587 §3.4.1: the length in front. Each event has a connection of its own, which is closed properly: what a receiver that goes away had not
 * read is an error then, and is sent again.
 */
async function sendFrame({ host, port, transport, tls }, message) {
  const socket = transport === 'tls' ? connectTls({ ...tls, host, port, servername: tls.servername ?? nameOf(host) }) : connect({ host, port });
  socket.setTimeout(TIMEOUT_MILLIS, () => socket.destroy(new Error('no answer in time')));
  try {
    await once(socket, transport === 'tls' ? 'secureConnect' : 'connect');
    // Whatever the receiver says is not for us, but its end has to be seen.
    socket.resume();
    const ended = once(socket, 'close');
    socket.end(Buffer.concat([Buffer.from(`${message.length} `), message]));
    await ended;
  } finally {
    socket.destroy();
  }
}

/** An address is no name that a certificate could be asked for. */
const nameOf = (host) => (/^[\d.]+$|:/.test(host) ? undefined : host);

/** As adapters do: `require` and `import` have this class in common, and each has an EdgegateError of its own. */
const invalid = (path, problem) => new TypeError(`edgegate: ${path}: ${problem}`);
