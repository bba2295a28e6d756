// What the Worker's bindings are called, and which class each Durable Object has. `npx edgegate init` writes them, `check` looks for
// them. A test holds them against the repository's wrangler.toml.

export const COMPATIBILITY_DATE = '2026-04-01';

/** By the words of `checkPolicy`. */
export const KV = 'EDGEGATE_KV';

export const OBJECTS = {
  counters: { binding: 'EDGEGATE_COUNTERS', class: 'CounterObject', migration: 'v1' },
  ledger: { binding: 'EDGEGATE_LEDGER', class: 'RevocationLedger', migration: 'v2' },
  sessions: { binding: 'EDGEGATE_SESSIONS', class: 'SessionObject', migration: 'v3' },
  keyRing: { binding: 'EDGEGATE_KEYS', class: 'KeyRingObject', migration: 'v3' },
  grants: { binding: 'EDGEGATE_GRANTS', class: 'GrantObject', migration: 'v4' },
  watch: { binding: 'EDGEGATE_WATCH', class: 'WatchObject', migration: 'v5' },
  logins: { binding: 'EDGEGATE_LOGINS', class: 'LoginObject', migration: 'v6' },
};

/** The migrations in their order, each with its classes. */
export function migrations() {
  const tags = new Map();
  for (const { migration, class: name } of Object.values(OBJECTS)) tags.set(migration, [...(tags.get(migration) ?? []), name]);
  return [...tags].map(([tag, classes]) => ({ tag, classes }));
}
