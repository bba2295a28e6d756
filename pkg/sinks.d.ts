import type { WatchEvent } from './index.js';

/** A sink for `watch.sinks` of `createGate`: it resolves once it has taken the event. If it rejects, it is told again later. */
export type Sink = (event: WatchEvent) => Promise<void>;

/** Writes each event to the standard output: JSON, a line each. For Node, Deno and Bun. */
export function stdoutSink(): Sink;

/** Where a syslog is, and how it is spoken to. */
export interface SyslogOptions {
  /** Default: `127.0.0.1`. */
  host?: string | undefined;
  /** Default: 514 by UDP, 601 by TCP, 6514 by TLS. */
  port?: number | undefined;
  /**
   * `udp` (default): one datagram each (RFC 5426); nobody tells whether it arrived, and an event of more than 2,048 bytes is not sent. `tcp`: with its
   * length in front (RFC 6587 §3.4.1). `tls`: the same over TLS (RFC 5425), whose certificate has to be valid for `host`.
   */
  transport?: 'udp' | 'tcp' | 'tls' | undefined;
  /** Default: `authpriv`. */
  facility?: 'user' | 'daemon' | 'auth' | 'authpriv' | `local${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}` | undefined;
  /** 1 to 48 visible ASCII characters. Default: `edgegate`. */
  appName?: string | undefined;
  /** Of `tls.connect` of Node: `ca`, and `cert` and `key` where the receiver asks for them. */
  tls?: { ca?: string | Uint8Array | undefined; cert?: string | Uint8Array | undefined; key?: string | Uint8Array | undefined; servername?: string | undefined } | undefined;
}

/**
 * Sends each event to a syslog as RFC 5424 says: severity error for an alert that fires, notice for one that is over, informational for others; the
 * message is the event as JSON. For Node, Deno and Bun.
 */
export function syslogSink(options?: SyslogOptions): Sink;
