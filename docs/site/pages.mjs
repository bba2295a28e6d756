// The documents in the order of SUMMARY.md, and their links as the site has them. Nothing is fetched, and nothing written.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = path.join(ROOT, 'docs');

/** What lies outside of docs/, by its name in the site. */
const OUTSIDE = { 'README.md': 'repository', 'pkg/README.md': 'npm' };

/** The name of a document in the site, without ending; of one beside docs/ in small letters. */
function nameOf(file) {
  const inDocs = path.relative('docs', file);
  if (inDocs.startsWith('..')) return OUTSIDE[file] ?? path.basename(file, '.md').toLowerCase();
  return inDocs.replace(/README\.md$/, 'index').replace(/\.md$/, '');
}

/** `[{title, pages: [{title, file, name}]}]`; `file` is in the repository. */
export function sections() {
  const found = [];
  for (const line of readFileSync(path.join(DOCS, 'SUMMARY.md'), 'utf8').split('\n')) {
    const [, title] = /^## (.+)$/.exec(line) ?? [];
    if (title !== undefined) found.push({ title, pages: [] });
    const [, text, target] = /^- \[(.+)\]\((.+)\)$/.exec(line) ?? [];
    if (text === undefined) continue;
    const file = path.relative(ROOT, path.join(DOCS, target));
    // Some are generated; where they are not, the site is built without them.
    if (existsSync(path.join(ROOT, file))) found.at(-1).pages.push({ title: text, file, name: nameOf(file) });
  }
  return found;
}

export const pages = () => sections().flatMap((section) => section.pages);

export const textOf = ({ file }) => readFileSync(path.join(ROOT, file), 'utf8');

// ---- links ----

/** Calls `change` with the text between blocks of code. */
export function outsideCode(text, change) {
  return text.split(/^(```[^]*?^```)/m).map((part, index) => (index % 2 === 1 ? part : change(part))).join('');
}

const LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)/g;

/** `{text, target, image}` for each link of a document. */
export function linksOf(text) {
  const found = [];
  outsideCode(text, (part) => {
    for (const [, mark, words, target] of part.matchAll(LINK)) found.push({ text: words, target, image: mark === '!' });
    return part;
  });
  return found;
}

/** The anchors of headings, as GitHub makes them, and the site too. */
export function anchorsOf(text) {
  const seen = new Map();
  const anchors = new Set();
  outsideCode(text, (part) => {
    for (const [, heading] of part.matchAll(/^#{1,6} (.+)$/gm)) {
      const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/`/g, '');
      const slug = plain.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      anchors.add(count === 0 ? slug : `${slug}-${count}`);
    }
    return part;
  });
  return anchors;
}

export const isOutside = (target) => /^[a-z][a-z0-9+.-]*:/i.test(target);

/** Where a link of a document leads: `{file, anchor}` in the repository. A folder is its README.md. */
export function resolve(file, target) {
  const [to, anchor] = target.split('#');
  const joined = to === '' ? file : path.normalize(path.join(path.dirname(file), to));
  const folder = existsSync(path.join(ROOT, joined, 'README.md'));
  return { file: folder ? path.join(joined, 'README.md') : joined, anchor };
}

const COMMENT = /^<!--[^]*?-->\n?/gm;

/** A document without comments, and with links as the site has them. What the site does not have, such as a source file, is named without a link. */
export function forSite(page, all = pages()) {
  const names = new Map(all.map(({ file, name }) => [file, name]));
  return outsideCode(textOf(page), (part) => part.replace(COMMENT, '').replace(LINK, (link, mark, text, target) => {
    if (isOutside(target) || mark === '!') return link;
    const { file, anchor } = resolve(page.file, target);
    const name = names.get(file);
    if (name === undefined) return text;
    return `[${text}](/${name.replace(/(^|\/)index$/, '$1')}${anchor ? `#${anchor}` : ''})`;
  }));
}

// ---- for programs that read ----

/** The first sentence of a document, for lists. */
export function firstSentence(text) {
  const paragraph = text.split(/\n{2,}/).find((part) => /^[A-Za-z`*[]/.test(part) && !part.startsWith('#')) ?? '';
  const plain = paragraph.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/\*\*/g, '').replace(/\s+/g, ' ').trim();
  return /^.*?[.:](?= |$)/.exec(plain)?.[0].replace(/:$/, '.') ?? plain;
}

/** llms.txt: what there is to read, one line each (llmstxt.org). */
export function llmsText() {
  const lines = ['# edgegate', '', `> ${firstSentence(textOf({ file: 'docs/README.md' }))} Each page is there as Markdown too, under the same address with \`.md\`.`];
  for (const { title, pages: some } of sections()) {
    lines.push('', `## ${title}`, '');
    for (const page of some) lines.push(`- [${page.title}](/docs/${page.name}.md): ${firstSentence(textOf(page))}`);
  }
  return `${lines.join('\n')}\n`;
}
