// Run by Bun, with the URL of a Redis: the store contract over Bun's own client.

import { storeContract } from '../../pkg/store-contract.js';
import { redisStore } from '../../pkg/wasm/inline.js';

const client = new Bun.RedisClient(process.argv[2]);
const cases = storeContract(() => redisStore(client, { prefix: `bun-${crypto.randomUUID()}:` }));
const failed = [];
for (const { name, run } of cases) {
  try {
    await run();
  } catch (error) {
    failed.push(`${name}: ${error.message}`);
  }
}
console.log(JSON.stringify({ failed, tried: cases.length }));
client.close();
