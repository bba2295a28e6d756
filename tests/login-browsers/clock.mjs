// Loaded first in a process whose clock a test moves: a message `{ ahead }` in milliseconds.

const now = Date.now.bind(Date);
let ahead = 0;

globalThis.Date = class extends Date {
  constructor(...values) {
    if (values.length === 0) super(now() + ahead);
    else super(...values);
  }

  static now() {
    return now() + ahead;
  }
};

process.on('message', (message) => {
  if (typeof message.ahead !== 'number') return;
  ahead = message.ahead;
  process.send({ done: message.id });
});
// A test that is killed cannot end its children.
process.on('disconnect', () => process.exit());
