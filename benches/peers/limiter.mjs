// A limit as it is written by hand: a fixed window for each caller, in a Map.

export function mapLimiter({ requests, windowMillis }) {
  const windows = new Map();
  return (caller) => {
    const now = Date.now();
    let window = windows.get(caller);
    if (window === undefined || now - window.began >= windowMillis) {
      window = { began: now, count: 0 };
      windows.set(caller, window);
    }
    window.count += 1;
    return window.count <= requests;
  };
}
