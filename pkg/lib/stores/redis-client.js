import { configError } from '../errors.js';
import { uncached } from '../uncached.js';

/** For connecting and reading together. A gate waits less, but a request that it has given up has to end too. */
const TIMEOUT_MILLIS = 5000;

/** Asks for replies as Redis gives them, whatever the client is configured to make of them. node-redis before 5 ignores it. */
const UNMAPPED = Object.freeze({ typeMapping: Object.freeze({}) });

/** The slots of a cluster. */
const SLOTS = 16_384;

/**
 * Returns how to speak to a client of node-redis or ioredis. The methods of the client tell which one it is: `sendCommand` has different
 * parameters in a single client, behind Sentinel and in a cluster.
 *
 * - `send(key, words)` sends a command about this one key to the server that holds it, and never to a replica, which may lag.
 * - `servers()` resolves with all servers that hold keys, each with a `name` and a `send(words)`, or fails.
 * - `keyPrefix` is the prefix in the client's own options; `addsPrefix` says whether the client puts it before the key of a command. No
 *   client does that in `SCAN`, and node-redis does it in no command that is sent as words.
 */
export function connectionTo(client) {
  if (typeof client?.url === 'string' && typeof client.token === 'string') return upstash(client);
  if (has(client, 'call')) return client.isCluster === true ? ioredisCluster(client) : ioredis(client);
  if (!has(client, 'sendCommand')) {
    if (has(client, 'send', 'connect')) return bun(client);
    throw configError('client', 'expected a client of redis (node-redis), ioredis or Bun, or the url and token of Upstash');
  }
  if (client.options?.legacyMode === true) throw configError('client', 'in legacy mode, expected a client that returns promises');
  if (has(client, 'nodeClient')) return nodeRedisCluster(client);
  if (has(client, 'getMasterNode')) return nodeRedisSentinel(client);
  if (has(client, 'release', 'watch')) throw configError('client', 'a lease of createSentinel, expected what createSentinel returned');
  return nodeRedis(client, (words) => client.sendCommand(words, UNMAPPED));
}

const has = (client, ...names) => names.every((name) => typeof client?.[name] === 'function');

function ioredis(client) {
  const { keyPrefix, role } = client.options ?? {};
  expectMaster('role', role);
  const send = (words) => client.call(...words);
  return { send: (_, words) => send(words), servers: async () => [{ name: '', send }], keyPrefix: prefixOf(keyPrefix), addsPrefix: true };
}

function ioredisCluster(client) {
  const { keyPrefix, scaleReads } = client.options ?? {};
  expectMaster('scaleReads', scaleReads);
  return {
    // The command's own method is called: in `call`, automatic pipelines take the first word for the key.
    send: (_, [command, ...words]) => client[command.toLowerCase()](...words),
    servers: async () => {
      // Before it is ready, the client knows only the servers that it was given.
      if (client.status !== 'ready') await client.ping();
      return withAllSlots(client.nodes('master').map((node) => ({
        name: `${node.options.host}:${node.options.port}`, send: (words) => node.call(...words),
      })));
    },
    keyPrefix: prefixOf(keyPrefix),
    addsPrefix: true,
  };
}

function nodeRedis(client, send) {
  return {
    send: (_, words) => send(words),
    servers: async () => [{ name: '', send }],
    keyPrefix: prefixOf(client._keyPrefix),
    addsPrefix: false,
  };
}

/** The first parameter of `sendCommand` says whether a replica may answer. */
const nodeRedisSentinel = (client) => nodeRedis(client, (words) => client.sendCommand(false, words, UNMAPPED));

const nodeRedisCluster = (client) => ({
  send: (key, words) => client.sendCommand(key, false, words, UNMAPPED),
  servers: () => withAllSlots(client.masters.map((node) => ({
    name: `${node.host}:${node.port}`,
    send: async (words) => (await client.nodeClient(node)).sendCommand(words, UNMAPPED),
  }))),
  keyPrefix: prefixOf(client._keyPrefix),
  addsPrefix: false,
});

/** `RedisClient` of Bun, which knows no cluster and adds nothing to keys. */
const bun = (client) => oneServer(([command, ...words]) => client.send(command, words));

const oneServer = (send) => ({ send: (_, words) => send(words), servers: async () => [{ name: '', send }], keyPrefix: '', addsPrefix: false });

/** Redis over HTTPS, as Upstash speaks it: a command is a list in JSON, and so is the answer. It serves where there are no sockets. */
function upstash({ url, token }) {
  const place = restUrl(url);
  // What breaks a header is quoted in the runtime's error, which the log gets.
  if (!/^[!-~]+$/.test(token)) throw configError('client.token', 'expected visible ASCII characters, without blanks or line breaks');
  return oneServer(async (words) => {
    const response = await fetch(place, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(words),
      // The token is for this host alone.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
      ...uncached(),
    });
    const { result, error } = await response.json();
    if (error !== undefined) throw new Error(error);
    if (!response.ok || result === undefined) throw new Error(`${words[0]}: the server answered with status ${response.status}`);
    return result;
  });
}

function restUrl(url) {
  const { protocol, hostname, href, username, password } = URL.canParse(url) ? new URL(url) : {};
  const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback)) throw configError('client.url', 'expected an https URL');
  // No fetch takes them, and the error would quote them.
  if (username || password) throw configError('client.url', 'expected no user or password in it, the token stands apart');
  return href;
}

/**
 * Returns these servers if together they hold every slot. A client forgets a server that does not answer, and learns of a new one only when
 * it is sent there. The keys of such a server would be missing in a listing, and nobody would know.
 */
async function withAllSlots(servers) {
  const held = await Promise.all(servers.map(async ({ send }) => slotsOf(await send(['CLUSTER', 'NODES']))));
  const slots = held.reduce((sum, one) => sum + one, 0);
  if (slots !== SLOTS) throw new Error(`the servers of the cluster that the client knows hold ${slots} of ${SLOTS} slots`);
  return servers;
}

/** Returns how many slots a server holds. Its own line of `CLUSTER NODES` says it: eight words, then `7` or `0-5460` for each range. */
function slotsOf(nodes) {
  const [own = ''] = String(nodes).split('\n').filter((line) => /^\S+ \S+ (?:\S+,)?myself,/.test(line));
  const ranges = own.split(' ').slice(8).map((range) => /^(\d+)(?:-(\d+))?$/.exec(range)).filter(Boolean);
  return ranges.reduce((sum, [, first, last = first]) => sum + Number(last) - Number(first) + 1, 0);
}

function expectMaster(option, value = 'master') {
  if (value !== 'master') throw configError('client', `${option}: expected "master", since a replica may not know a revocation yet`);
}

function prefixOf(keyPrefix) {
  if (keyPrefix === undefined || keyPrefix === null) return '';
  if (typeof keyPrefix !== 'string') throw configError('client', 'keyPrefix: expected a string');
  return keyPrefix;
}
