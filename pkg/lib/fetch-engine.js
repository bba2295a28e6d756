import { webPlatform } from './web-platform.js';

import { configError } from './errors.js';

/** Loads the engine that lies beside the entry. Most bundlers put it there too; if one does not, the error says what to do. */
export async function fetchEngine(url) {
  const response = await fetch(url);
  if (!response.ok) throw missing(url, `status ${response.status}`);
  try {
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    // Development servers answer with their page if they do not find a file.
    if (error instanceof WebAssembly.CompileError) throw missing(url, 'no WebAssembly');
    throw error;
  }
}

const missing = (url, found) =>
  configError('', `the engine is not at ${url} (${found}): see "Bundlers" in the README of edgegate, or use edgegate/slim`);

/** A platform that fetches its engine when it is first needed. */
export const fetched = (url) => webPlatform({ loadLater: () => fetchEngine(url()), sharesPromises: true });
