/** A copy of parsed JSON, so that no caller can change what another gets. Members named `__proto__` stay members. */
export function clone(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone);
  const copy = { ...value };
  for (const name in copy) {
    const member = copy[name];
    // The spread has defined every member, so this sets it and never a prototype.
    if (typeof member === 'object' && member !== null) copy[name] = clone(member);
  }
  return copy;
}
