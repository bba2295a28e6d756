import { configError } from '../errors.js';

/** Replies as Redis gives them, whatever the client was told to make of them. Clients before node-redis 5 ignore it. */
const UNMAPPED = Object.freeze({ typeMapping: Object.freeze({}) });

/** Of a cluster. */
const SLOTS = 16_384;

/**
 * How to speak to a client of node-redis or ioredis. Told by what the client can do: `sendCommand` has other parameters in a client,
 * behind Sentinel and in a cluster.
 *
 * - `send(key, words)` sends a command about this one key to the server that holds it, not to a replica, which may lag.
 * - `servers()` resolves with all that hold keys, each with a `name` and a `send(words)`, or fails.
 * - `keyPrefix` is what the client's own option puts before each key; `addsPrefix` says that it does so itself, in commands that name a
 *   key. No client does it in `SCAN`, and node-redis does it in none that is sent as words.
 */
export function connectionTo(client) {
  if (has(client, 'call')) return client.isCluster === true ? ioredisCluster(client) : ioredis(client);
  if (!has(client, 'sendCommand')) throw configError('client', 'expected a client of redis (node-redis) or ioredis');
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
    // By the method of the command: for `call`, automatic pipelines take the first word for the key.
    send: (_, [command, ...words]) => client[command.toLowerCase()](...words),
    servers: async () => {
      // Until it is ready it knows those that it was given only.
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

/** The first parameter says whether a replica will do. */
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

/**
 * These, if they hold every slot together. A client forgets a server that does not answer, and learns of a new one only when it is
 * sent there; what such a server holds would be missing in a listing, and nobody would know.
 */
async function withAllSlots(servers) {
  const held = await Promise.all(servers.map(async ({ send }) => slotsOf(await send(['CLUSTER', 'NODES']))));
  const slots = held.reduce((sum, one) => sum + one, 0);
  if (slots !== SLOTS) throw new Error(`the servers of the cluster that the client knows hold ${slots} of ${SLOTS} slots`);
  return servers;
}

/** How many slots a server holds, by the line of `CLUSTER NODES` that is about itself: eight words, then `7` or `0-5460` for each range. */
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
