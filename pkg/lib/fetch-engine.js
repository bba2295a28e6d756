import { compile, isWasm } from './compile.js';
import { configError } from './errors.js';
import { webPlatform } from './web-platform.js';

/** Loads the engine that lies beside the entry. Most bundlers put it there too; if one does not, the error says what to do. */
export async function fetchEngine(url) {
  const response = await fetch(url);
  if (!response.ok) throw missing(url, `status ${response.status}`);
  const bytes = await response.arrayBuffer();
  // Development servers answer with their page if they do not find a file.
  if (!isWasm(bytes)) throw missing(url, 'no WebAssembly');
  return compile(bytes);
}

const missing = (url, found) =>
  configError('', `the engine is not at ${url} (${found}): see "Bundlers" in the README of edgegate, or use edgegate/inline`);

/** A platform that fetches its engine when it is first needed. */
export const fetched = (url) => webPlatform({ loadLater: () => fetchEngine(url()), sharesPromises: true });
