// The client's address as `createGate` reads it: by the vectors that Rust and the Worker read too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { gateOf, policy, request } from './gate.mjs';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/client_addresses.json', import.meta.url), 'utf8'));
const FAULT = ': the client\'s address cannot be read, the request counts as one without';

/** Returns the logged address, and the logged faults. */
async function read(given, options = {}, asked = {}) {
  const { gate, events } = gateOf({ policy: policy({ ...asked, log: 'all' }) });
  await gate.check(given, options);
  return {
    client: events.find(({ event }) => event !== 'fault').client,
    faults: events.filter(({ event }) => event === 'fault').map(({ detail }) => detail),
  };
}

/** How an address is logged. */
const logged = async (address) => (await read(request('/public/a'), { clientIp: address })).client;

describe('a header that the policy names', () => {
  for (const { name, value, trusted_hops, address } of VECTORS) {
    test(`${name}: ${JSON.stringify(value)}`, async () => {
      const asked = { client_ip_header: 'X-Forwarded-For', ...(trusted_hops && { trusted_hops }) };
      const { client, faults } = await read({ method: 'GET', url: '/public/a', headers: { 'x-forwarded-for': value } }, {}, asked);
      if (address === null) {
        assert.deepEqual({ client, faults }, { client: 'unknown', faults: [`client_ip_header${FAULT}`] });
      } else {
        assert.deepEqual({ client, faults }, { client: await logged(address), faults: [] });
        assert.notEqual(client, 'unknown');
      }
    });
  }

  test('repeated is one list', async () => {
    const rawHeaders = ['X-Forwarded-For', '192.0.2.66', 'x-forwarded-for', '203.0.113.7'];
    const given = { method: 'GET', url: '/public/a', headers: {}, rawHeaders };
    const { client } = await read(given, {}, { client_ip_header: 'X-Forwarded-For', trusted_hops: 1 });
    assert.equal(client, '203.0.113.7');
  });

  test('may be absent or empty, which is no fault', async () => {
    const asked = { client_ip_header: 'X-Forwarded-For', trusted_hops: 2 };
    const socket = { remoteAddress: '::ffff:192.0.2.5' };
    assert.deepEqual(await read({ method: 'GET', url: '/public/a', headers: {}, socket }, {}, asked), { client: '192.0.2.5', faults: [] });
    assert.deepEqual(await read({ method: 'GET', url: '/public/a', headers: { 'x-forwarded-for': '' } }, {}, asked), { client: 'unknown', faults: [] });
  });
});

describe('clientIp', () => {
  test('may have a port, brackets or a zone', async () => {
    for (const [clientIp, client] of [
      ['203.0.113.7:41234', '203.0.113.7'], ['[2001:db8::1]:443', '2001:db8:0:0::/64'], ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ]) {
      assert.deepEqual(await read(request('/public/a'), { clientIp }), { client, faults: [] });
    }
  });

  test('is one address: a list is a fault, and none of its addresses counts', async () => {
    for (const clientIp of ['203.0.113.7, 10.0.0.1', 'nonsense']) {
      assert.deepEqual(await read(request('/public/a'), { clientIp }), { client: 'unknown', faults: [`clientIp${FAULT}`] });
    }
  });
});

test('the log is told of unreadable addresses once a minute', async () => {
  const { gate, clock, events } = gateOf();
  const faults = () => events.filter(({ event }) => event === 'fault').length;
  for (let count = 0; count < 5; count += 1) await gate.check(request('/public/a'), { clientIp: 'x' });
  assert.equal(faults(), 1);
  clock.now += 60;
  await gate.check(request('/public/a'), { clientIp: 'x' });
  assert.equal(faults(), 2);
});
