// All lines that `dev` prints are found, with what they have to give.

import assert from 'node:assert/strict';
import test from 'node:test';

import { guide } from '../../xtask/dev/guide.mjs';
import { printedCommands, statuses } from './printed.mjs';

for (const url of ['http://127.0.0.1:1', 'https://127.0.0.1:1']) {
  test(`each line to paste is found (${url})`, () => {
    const printed = guide({ url, token: 'a.b.c', key: 'sk_test_1', vars: '/x/.dev.vars', jar: '/x/cookies' });
    const commands = printedCommands(printed);
    assert.equal(commands.length, printed.split('\n').filter((line) => /^(?:curl|for) /.test(line)).length);
    assert.deepEqual(commands.map(({ expected }) => expected.join(' ')), ['200', '401', '200', '200', '200 200 200 200 200 429 429', '200', '200', '200', '200', '200', '200', '200']);
    assert.ok(commands.every(({ command }) => command.includes(`${url}/`)));
  });
}

test('statuses are read from heads and from words', () => {
  assert.deepEqual(statuses('HTTP/1.1 401 Unauthorized\r\nRetry-After: 60\r\n\r\n{"status":401}'), ['401']);
  assert.deepEqual(statuses('HTTP/1.1 429 Too Many Requests\r\n\r\n'), ['429']);
  assert.deepEqual(statuses('200\n200\n429\n'), ['200', '200', '429']);
  assert.deepEqual(statuses(''), []);
});
