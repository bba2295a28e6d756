// The documents as a whole: every one is in the order, every link leads somewhere, llms.txt names all.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { ROOT, anchorsOf, firstSentence, forSite, isOutside, linksOf, llmsText, pages, resolve, textOf } from '../../docs/site/pages.mjs';

/** Documents beside those of the site. */
const OTHERS = ['docs/SUMMARY.md', ...readdirSync(path.join(ROOT, 'examples')).map((name) => `examples/${name}/README.md`).filter((file) => existsSync(path.join(ROOT, file)))];

const markdownIn = (folder) => readdirSync(path.join(ROOT, folder)).filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name));

test('every document is in the summary, once', () => {
  const listed = pages().map(({ file }) => file);
  assert.equal(new Set(listed).size, listed.length);
  const written = [...markdownIn('docs'), ...markdownIn('docs/guides'), ...markdownIn('.')].filter((file) => file !== 'docs/SUMMARY.md');
  assert.deepEqual(written.filter((file) => !listed.includes(file)), [], 'add a line to docs/SUMMARY.md');
});

test('every link leads somewhere, anchors too', () => {
  const wrong = [];
  for (const file of [...pages().map((page) => page.file), ...OTHERS]) {
    for (const { target } of linksOf(textOf({ file }))) {
      if (isOutside(target)) continue;
      const { file: to, anchor } = resolve(file, target);
      if (!existsSync(path.join(ROOT, to))) wrong.push(`${file}: ${target}`);
      else if (anchor && to.endsWith('.md') && !anchorsOf(textOf({ file: to })).has(anchor)) wrong.push(`${file}: no heading ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('in the site, links lead to pages of the site, and sources are named without one', () => {
  const names = new Set(pages().map(({ name }) => `/${name}`.replace(/\/index$/, '/')));
  for (const page of pages()) {
    for (const { target, image } of linksOf(forSite(page))) {
      if (!isOutside(target) && !image) assert.ok(names.has(target.split('#')[0]), `${page.file}: ${target}`);
    }
  }
});

test('comments of the Markdown are not in the site', () => {
  for (const page of pages()) assert.doesNotMatch(forSite(page).replace(/`[^`]*`|^```[^]*?^```/gm, ''), /<!--/, page.file);
});

test('llms.txt has a line for each page, with what it is about', () => {
  const text = llmsText();
  assert.match(text, /^# edgegate\n\n> edgegate decides for every request/);
  for (const { title, name } of pages()) assert.ok(text.includes(`- [${title}](/docs/${name}.md): `), name);
  assert.doesNotMatch(text, /: \n/);
});

test('the first sentence of a document ends where it ends', () => {
  assert.equal(firstSentence('# A\n\nFor [x](y.md) 2.0 only. More.'), 'For x 2.0 only.');
});
