// One runner for all runtimes: Wycheproof's JOSE files, the project's own vectors, and the known attacks.
//
// Wycheproof's files are not part of this repository: where `../shared/vectors/wycheproof/` is missing, those tests are
// skipped and say so. `tests/suite/wycheproof.rs` and `tests/suite/vectors.rs` hold the same data against the Rust crate.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { NOW, attackGroups } from './attacks.mjs';

const read = (relative) => JSON.parse(readFileSync(new URL(relative, import.meta.url), 'utf8'));
const shared = fileURLToPath(new URL('../../../shared/vectors/wycheproof/', import.meta.url));
const exceptions = read('../wycheproof/exceptions.json');
const [jws, thumbprint, pem, apiKeys, jwks, ed25519] = ['jws', 'thumbprint', 'pem', 'api_keys', 'jwks', 'ed25519'].map((name) => read(`../vectors/${name}.json`));

/** Declares the tests of these runtimes. */
export function conform(runtimes) {
  for (const { name, start, withoutWebCrypto } of runtimes) {
    describe(name, () => {
      let runtime;
      before(async () => {
        runtime = await start();
      });
      after(() => runtime?.stop());

      const run = async (t, title, suite, data) => {
        const { counts, faults } = await runtime.run(suite, data);
        assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.join('\n')}`);
        const numbers = Object.values(counts);
        assert.ok(numbers.some((number) => number > 0), 'nothing was run');
        const told = Object.entries(counts).map(([what, number]) => `${number} ${what}`);
        const list = told.length > 6 ? [`${numbers.reduce((sum, number) => sum + number)} in all`, ...told].join('\n  ') : told.join(', ');
        t.diagnostic(`${name}, ${title}: ${list}`);
        return counts;
      };

      for (const file of Object.keys(exceptions)) {
        const missing = existsSync(`${shared}${file}`) ? false : `${shared}${file} is not there`;
        test(`Wycheproof, ${file}`, { skip: missing }, async (t) => {
          const data = { file: JSON.parse(readFileSync(`${shared}${file}`, 'utf8')), exceptions: exceptions[file] };
          await run(t, file, 'wycheproof', data);
        });
      }

      test('an unexpected failure, an unexpected pass and a listed vector that is not there are faults', async () => {
        const [{ jwk, token }] = jws;
        const file = { numberOfTests: 2, testGroups: [{ comment: 'sample', private: jwk, tests: [
          { tcId: 1, comment: 'forged', jws: `${token.slice(0, -4)}AAAA`, result: 'valid' }, { tcId: 2, comment: 'genuine', jws: token, result: 'valid' },
        ] }] };
        const found = async (list) => (await runtime.run('wycheproof', { file, exceptions: list })).faults;
        assert.deepEqual(await found([]), ['1: sample, forged: valid, but: signature does not verify']);
        const right = { tcId: 1, outcome: 'signature does not verify' };
        assert.deepEqual(await found([right]), []);
        assert.deepEqual(await found([{ ...right, outcome: 'verifies' }]), ['1: sample, forged: expected verifies, found signature does not verify']);
        assert.deepEqual(await found([right, { tcId: 2, outcome: 'verifies' }]), ['2: sample, genuine: is no exception any more']);
        assert.deepEqual(await found([right, { tcId: 3, outcome: 'verifies' }]), ['3: listed, but not in the file']);
      });

      test('the vectors of the project', (t) => run(t, 'tests/vectors', 'vectors', { jws, thumbprint, pem, apiKeys }));

      test('the key sets of the project', (t) => run(t, 'tests/vectors/jwks.json', 'keySets', jwks));

      test('odd Ed25519 signatures', async (t) => {
        const counts = await run(t, 'tests/vectors/ed25519.json', 'ed25519', ed25519);
        const tokens = ed25519.filter(({ jws: isToken }) => isToken).length;
        assert.deepEqual([counts.tokens, counts.JWTs, counts['JWTs at once']], [tokens, tokens, tokens]);
        // A host that is asked about Ed25519 has to give the same verdict.
        assert.equal(counts['by WebCrypto'], withoutWebCrypto ? 0 : ed25519.filter(({ asked }) => asked).length);
      });

      test('the known attacks', async (t) => {
        let asked = 0;
        const lure = http.createServer((_, response) => {
          asked += 1;
          // A page learns no more than this allows.
          response.setHeader('access-control-allow-origin', '*').end('{"keys":[]}');
        }).listen(0, '127.0.0.1');
        t.after(() => {
          lure.closeAllConnections();
          lure.close();
        });
        await new Promise((resolve) => lure.once('listening', resolve));
        const url = `http://127.0.0.1:${lure.address().port}/`;
        const counts = await run(t, 'attacks', 'attacks', { groups: attackGroups(url), now: NOW });
        for (const [group, number] of Object.entries(counts)) assert.ok(number > 0, `${group}: nothing was tried`);
        assert.equal(asked, 0, 'jku or x5u was followed');
        // Otherwise nobody could have come.
        assert.equal(await runtime.ask(url), 200);
        assert.equal(asked, 1);
      });
    });
  }
}
