// The version of a release.

import assert from 'node:assert/strict';
import test from 'node:test';

import { checkPackage, checkTag } from './version.mjs';

const TEXTS = {
  package: '{"version": "1.2.3"}',
  manifest: '[package]\nname = "edgegate"\nversion = "1.2.3"\n',
  changelog: '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2027-01-01\n',
};

test('the crate and the npm package have one version', () => {
  checkPackage();
  checkPackage(TEXTS);
  assert.throws(() => checkPackage({ ...TEXTS, package: '{"version": "1.2.4"}' }), {
    message: 'pkg/package.json: version 1.2.4 is not the one of Cargo.toml',
  });
});

test('a tag is held against the manifests and the changelog', () => {
  checkTag('v1.2.3', TEXTS);
  for (const [tag, texts, message] of [
    ['1.2.3', {}, 'tag 1.2.3: expected v and a version'],
    ['v1.2.4', {}, 'pkg/package.json: expected version 1.2.4, as the tag says'],
    ['v1.2.3', { manifest: '' }, 'Cargo.toml: expected version 1.2.3, as the tag says'],
    ['v1.2.3', { changelog: '## [Unreleased]\n' }, 'CHANGELOG.md: expected a heading `## [1.2.3]`'],
  ]) assert.throws(() => checkTag(tag, { ...TEXTS, ...texts }), { message });
});
