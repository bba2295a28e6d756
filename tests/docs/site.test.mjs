// The documents as a whole: every one is in the order, every link leads somewhere, llms.txt names all.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { ROOT, anchorsOf, firstSentence, forSite, isOutside, linksOf, llmsText, outsideCode, pages, resolve, textOf } from '../../docs/site/pages.mjs';

/** Documents beside those of the site. */
const OTHERS = readdirSync(path.join(ROOT, 'examples')).map((name) => `examples/${name}/README.md`).filter((file) => existsSync(path.join(ROOT, file)));

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

// ---- can it be read? ----

/** Pages for people who begin; references and measurements are for others. */
const FIRST = ['start', 'migrate', 'frameworks', 'hosts', 'browsers', 'testing', 'deployment', 'api-keys', 'redis'];
/** By Flesch: 60 is plain English, and what a sentence may have at most, on average. */
const LEAST_EASE = 60;
const MOST_WORDS = 16;

/** Sentences of prose: no code, no tables, no headings. */
function sentencesOf(text) {
  let prose = '';
  outsideCode(text, (part) => {
    prose += part.split('\n').filter((line) => !/^(\||#|```)/.test(line)).join('\n');
    return part;
  });
  // What stood in code is one short word.
  const plain = prose.replace(/`[^`]*`/g, 'it').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[*_]/g, '');
  return plain.split(/[.:;!?](?:\s+|$)|\n\s*(?:\n|-|\d\.)/).map((sentence) => sentence.match(/[A-Za-z’']+/g) ?? []).filter((words) => words.length > 2);
}

const syllables = (word) => Math.max(1, (word.toLowerCase().replace(/e$/, '').match(/[aeiouy]+/g) ?? []).length);

test('pages for beginners are plain English', () => {
  for (const name of FIRST) {
    const sentences = sentencesOf(textOf({ file: `docs/${name}.md` }));
    const words = sentences.flat();
    const length = words.length / sentences.length;
    const ease = 206.835 - 1.015 * length - 84.6 * (words.map(syllables).reduce((sum, count) => sum + count, 0) / words.length);
    assert.ok(ease >= LEAST_EASE, `${name}: reading ease ${ease.toFixed(0)}`);
    assert.ok(length <= MOST_WORDS, `${name}: ${length.toFixed(1)} words in a sentence`);
  }
});
