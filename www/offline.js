// Keeps the page and the engine for visits without a network. It keeps nothing that was pasted, and fetches of key sets pass
// it by.

const CACHE = 'edgegate-page-v1';
const mine = (url) => url.origin === self.location.origin;

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));

/** The page tells what it has loaded before this was there to see it. */
self.addEventListener('message', (event) => {
  const urls = event.data.filter((url) => mine(new URL(url)));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(urls)).then(() => event.source.postMessage('kept')));
});

self.addEventListener('activate', (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('edgegate-page-') && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

/** The network first, so that a new version is seen at once; what was kept, without one. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === 'GET' && mine(url) && !url.pathname.endsWith('jwks.json')) event.respondWith(answer(event.request));
});
