// The gate in front of an upstream, beside Workers that a user would write instead: with jose, with hono/jwt, and one that only
// passes on. Each in a workerd of its own, the upstream beside it where it is a service binding.
//
// The row `gate` has what there are targets for; `gate-matrix` has all kinds of callers, upstreams and bodies.

import { SECRETS, freshIp, gateWorker, policy, start } from '../../tests/worker/harness.mjs';
import { assertOpens } from '../lib/agree-gates.mjs';
import { HONO, HONO_IMPORTED, JOSE, anybody, bearers, keyHolders, numbered } from '../lib/callers.mjs';
import { CONNECTIONS, loadRounds } from '../lib/load.mjs';
import { atLeast, atMost, compare } from '../lib/measure.mjs';
import { peerWorker } from '../lib/peer-workers.mjs';
import { revokeOthers } from '../lib/revoked.mjs';
import { withProcessorClock } from '../lib/workerd-process.mjs';

const REVOKED = 1000;
const COOKIE = 'session';

/** The contestants of ours and the one that decides nothing; also as they are loaded with other requests. */
const PASS = 'a Worker that passes on';
const OURS = 'the gate';
const STORED = 'the gate, with stores';
const WATCHED = 'the gate, with the watch';
const WATCHED_SEEN = 'the gate, with the watch, callers seen before';
const SEEN = 'the gate, tokens seen before';
const OPEN = 'the gate, open route';
const OPEN_PASS = `${PASS}, open route`;

const ROUTES = [
  { path: '/public/*', auth: 'none' },
  { path: '/v1/posts', methods: ['GET'], scopes: { all: ['read:posts'] } },
  { path: '/v1/posts', methods: ['POST'], scopes: { all: ['write:posts'] } },
];

/** A limit that nobody reaches, in memory, and a snapshot of revocations; or neither. */
function policyOf({ policy: given, limitedBy: by }, { stores, watch, upstream }) {
  const limits = [{ name: 'wide', by, requests: 1_000_000_000, window_secs: 60, algorithm: 'fixed-window', store: 'memory' }];
  return policy({
    issuers: undefined, api_keys: undefined, upstream, watch, ...given,
    revocation: stores ? { mode: 'snapshot' } : undefined,
    limits: stores ? limits : undefined,
    routes: stores ? ROUTES.map((route) => ({ ...route, limits: ['wide'] })) : ROUTES,
  });
}

/** Starts workers in a workerd of their own, the first of which is asked. */
async function running(closing, name, workers, secrets) {
  const { started: gate, clock } = await withProcessorClock(() => start(workers, { secrets }));
  closing.push(() => gate.dispose());
  return { name, gate, port: gate.port(), clock };
}

/** What is behind all of them: `{ url }`, or the worker of a service binding. */
async function upstreamOf(closing, kind) {
  const worker = await peerWorker('worker-upstream.mjs', { name: 'upstream' });
  if (kind === 'binding') return { behind: [{ ...worker, unsafeDirectSockets: undefined }], bound: { serviceBindings: { UPSTREAM: 'upstream' } } };
  const { port } = await running(closing, 'upstream', [worker], {});
  return { url: `http://127.0.0.1:${port}`, behind: [], bound: {} };
}

/** All contestants for this kind of caller, proven. */
async function contestantsOf(closing, callers, kind) {
  const { url, behind, bound } = await upstreamOf(closing, kind);
  const peer = async ([name, file, more = {}]) => {
    const bindings = { ...callers.bindings, ...more, ...(url === undefined ? {} : { UPSTREAM_URL: url }) };
    return running(closing, name, [await peerWorker(file, { bindings, ...bound }), ...behind], callers.secrets);
  };
  const ours = async (name, stores, watch) => {
    const secrets = { ...callers.secrets, ADMIN_TOKEN: SECRETS.ADMIN_TOKEN };
    const worker = gateWorker({ policy: policyOf(callers, { stores, watch, upstream: url }), secrets, worker: bound });
    return running(closing, name, [worker, ...behind], secrets);
  };
  const pass = await peer([PASS, 'worker-pass.mjs']);
  const peers = [];
  for (const one of callers.peers) peers.push(await peer(one));
  const plain = await ours(OURS, false);
  const stored = await ours(STORED, true);
  const watched = await ours(WATCHED, false, {});
  await revokeOthers(stored.gate, {
    entries: numbered(REVOKED, callers.revoked), admin: SECRETS.ADMIN_TOKEN, path: callers.path, credential: callers.credential(),
  });
  for (const { name, gate } of [...peers, plain, stored, watched]) await callers.assertDecides(name, gate);
  return { pass, peers, plain, stored, watched };
}

/** What a method sends besides its headers. */
const BODIES = {
  GET: {},
  'POST, small body': { method: 'POST', body: JSON.stringify({ title: 'a post', text: 'x'.repeat(80) }) },
  'POST, 64 KB': { method: 'POST', body: 'x'.repeat(64 * 1024) },
};
/** All of them are prepared before the load begins: of large ones there are fewer. */
const LARGE = 2 * CONNECTIONS;

function requestsOf(path, headers, { method, body }) {
  const some = body?.length > 1024 ? headers.slice(0, LARGE) : headers;
  return some.map((own) => ({ path, method, body, headers: { 'CF-Connecting-IP': freshIp(), ...own } }));
}

/** Lines of one subject beside one peer: processor time; requests per second unless `throughput` is `undefined`. Targets may be `null`. */
function beside(found, subject, peer, { label, peerLabel = peer, time = null, throughput }) {
  const line = (kind, value, unit, target) => compare({
    subject: { name: label, times: found.get(subject).map(value) }, peer: { name: peerLabel, times: found.get(peer).map(value) }, kind, unit, target,
  });
  const measured = found.get(subject).concat(found.get(peer)).every(({ cpu }) => cpu !== undefined);
  return [
    ...(measured ? [line('time', ({ cpu }) => cpu, 'µs of workerd', time)] : []),
    ...(throughput === undefined ? [] : [line('throughput', ({ requests }) => requests, 'requests/s', throughput)]),
  ];
}

/** Runs with what it starts ended, whatever happens. */
async function closed(run) {
  const closing = [];
  try {
    return await run(closing);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** What the targets are of. */
const wanted = (context) => closed(async (closing) => {
  const callers = bearers('HS256');
  const { pass, peers, plain, stored: withStores, watched } = await contestantsOf(closing, callers, 'binding');
  await assertOpens(OURS, plain.gate);
  const contestants = [
    pass, ...peers, plain, withStores, watched,
    { ...plain, name: SEEN, sends: 'known' },
    { ...watched, name: WATCHED_SEEN, sends: 'known' },
    { ...pass, name: OPEN_PASS, sends: 'unsigned' },
    { ...plain, name: OPEN, sends: 'unsigned' },
  ];
  const work = {
    unsigned: { requests: requestsOf('/public/a', anybody().headers(), BODIES.GET) },
    known: { requests: requestsOf(callers.path, callers.seen(), BODIES.GET) },
  };
  const found = await loadRounds(contestants, {
    ...roundsOf(context, 9),
    beforeRound: () => {
      work.unknown = { requests: requestsOf(callers.path, callers.headers(), BODIES.GET), spread: true };
    },
    targetOf: ({ sends = 'unknown', ...one }) => ({ ...one, ...work[sends] }),
  });
  const [fresh, seen, stored, open] = ['HS256, fresh tokens', 'HS256, tokens seen before', 'HS256, snapshot and memory limit', 'an open route'];
  return [
    ...beside(found, OURS, JOSE, { label: fresh, time: atMost(0.95), throughput: atLeast(1.05) }),
    ...beside(found, OURS, HONO, { label: fresh, time: atMost(0.87), throughput: null }),
    ...beside(found, OURS, HONO_IMPORTED, { label: fresh }),
    ...beside(found, OURS, PASS, { label: fresh, throughput: null }),
    ...beside(found, SEEN, JOSE, { label: seen, throughput: null }),
    ...beside(found, STORED, JOSE, { label: stored, time: atMost(1.05), throughput: null }),
    // Fresh tokens from fresh addresses: each request is somebody of whom there is an event.
    ...beside(found, WATCHED, OURS, { label: `${fresh}, with the watch`, throughput: null }),
    ...beside(found, WATCHED_SEEN, SEEN, { label: `${seen}, with the watch`, throughput: null }),
    ...beside(found, OPEN, OPEN_PASS, { label: open, peerLabel: PASS, time: atMost(1.15), throughput: null }),
  ];
});

const KINDS = {
  'an open route': anybody,
  HS256: () => bearers('HS256'),
  RS256: () => bearers('RS256'),
  'an API key': keyHolders,
  'a cookie': () => bearers('HS256', { cookie: COOKIE }),
};
const UPSTREAMS = { binding: 'service binding', url: 'URL' };

/** One kind of caller in front of one kind of upstream. */
const cell = (context, kind, callers, upstream) => closed(async (closing) => {
  const { pass, peers, plain, stored } = await contestantsOf(closing, callers, upstream);
  const contestants = [pass, ...peers, plain, stored];
  const lines = [];
  for (const [method, sent] of Object.entries(BODIES)) {
        let requests;
    const found = await loadRounds(contestants, {
      ...roundsOf(context, 3),
      beforeRound: () => {
        requests = requestsOf(callers.path, callers.headers(), sent);
      },
      targetOf: (one) => ({ ...one, requests, spread: true }),
    });
    for (const subject of [plain, stored]) {
      const label = [kind, UPSTREAMS[upstream], method, ...(subject === stored ? ['snapshot and limit'] : [])].join(', ');
      for (const peer of [...peers, pass]) lines.push(...beside(found, subject.name, peer.name, { label, throughput: null }));
    }
  }
  return lines;
});

async function matrix(context) {
  const lines = [];
  for (const upstream of Object.keys(UPSTREAMS)) {
    for (const [kind, callers] of Object.entries(KINDS)) lines.push(...await cell(context, kind, callers(), upstream));
  }
  return lines;
}

const roundsOf = ({ quick }, count) => (quick ? { rounds: 1, seconds: 1 } : { rounds: count, seconds: 1 });

export const GATE_ROWS = [
  { id: 'gate', about: 'In front of a service binding, HS256 and scope, 16 connections', run: wanted },
  { id: 'gate-matrix', about: 'In front of an upstream, by caller, upstream and body', run: matrix, full: true },
];
