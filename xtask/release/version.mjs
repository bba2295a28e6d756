// One version: of the crate, of the npm package, and of a release's tag and its heading in the changelog.

import { readFileSync } from 'node:fs';

const read = (file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

/** The three files that say which version this is. */
export const files = () => ({ package: read('pkg/package.json'), manifest: read('Cargo.toml'), changelog: read('CHANGELOG.md') });

const hasVersion = (manifest, version) => manifest.includes(`\nname = "edgegate"\nversion = "${version}"\n`);

/** Throws unless the crate and the npm package have one version. */
export function checkPackage(texts = files()) {
  const { version } = JSON.parse(texts.package);
  if (!hasVersion(texts.manifest, version)) throw new Error(`pkg/package.json: version ${version} is not the one of Cargo.toml`);
}

/** Throws unless the files say the version of the tag, `v1.2.3`. */
export function checkTag(tag, texts = files()) {
  const version = /^v(.+)$/.exec(tag)?.[1];
  if (version === undefined) throw new Error(`tag ${tag}: expected v and a version`);
  if (JSON.parse(texts.package).version !== version) throw new Error(`pkg/package.json: expected version ${version}, as the tag says`);
  if (!hasVersion(texts.manifest, version)) throw new Error(`Cargo.toml: expected version ${version}, as the tag says`);
  if (!texts.changelog.split('\n').some((line) => line.startsWith(`## [${version}]`))) {
    throw new Error(`CHANGELOG.md: expected a heading \`## [${version}]\``);
  }
}
