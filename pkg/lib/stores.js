export { d1Store } from './stores/d1.js';
export { kvStore } from './stores/kv.js';
export { memoryStore } from './stores/memory.js';
export { redisStore } from './stores/redis.js';
