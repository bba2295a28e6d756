// Blocks of a page as Markdown and as HTML. What is in them is text: whatever it says, it becomes neither markup nor a second line.
//
// A block is `{heading, level}`, `{text}`, `{list}`, `{code}` or `{table: {head, rows}}`. Text is a string, or a list of strings and `{code}`.

/** Control characters, line ends of Unicode, and what turns the direction of text around. A line break may stand in code. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text without line breaks and without what cannot be seen. */
export const oneLine = (text) => String(text).replace(UNSEEN, '�');
const lines = (text) => text.replace(UNSEEN, (letter) => (letter === '\n' ? letter : '�'));
const pieces = (text) => [text].flat();

/** The name that a heading has in links. */
export const anchor = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

// ---- Markdown ----

const escapeMarkdown = (text) => oneLine(text).replace(/[\\`*_[\]<>#|~&!$]/g, '\\$&').replace(/^(\s*)([-+=])/, '$1\\$2').replace(/^(\s*\d+)([.)])/, '$1\\$2');

/** A span of code: its fence is longer than any in it. A bar in a table would end the cell. */
function codeSpan(text, inTable) {
  const fences = (oneLine(text).match(/`+/g) ?? []).map(({ length }) => length);
  const fence = '`'.repeat(Math.max(0, ...fences) + 1);
  const pad = /^`|`$|^ .* $/.test(text) ? ' ' : '';
  const span = `${fence}${pad}${oneLine(text)}${pad}${fence}`;
  return inTable ? span.replaceAll('|', '\\|') : span;
}

const markdownText = (text, inTable = false) =>
  pieces(text).map((piece) => (typeof piece === 'string' ? escapeMarkdown(piece) : codeSpan(piece.code, inTable))).join('');

function markdownCode(text) {
  const fences = (text.match(/`{3,}/g) ?? []).map(({ length }) => length);
  const fence = '`'.repeat(Math.max(2, ...fences) + 1);
  return `${fence}sh\n${lines(text)}\n${fence}`;
}

function markdownTable({ head, rows }) {
  const row = (cells) => `| ${cells.map((cell) => markdownText(cell, true)).join(' | ')} |`;
  return [row(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(row)].join('\n');
}

function markdownBlock(block) {
  if (block.heading !== undefined) return `${'#'.repeat(block.level)} ${escapeMarkdown(block.heading)}`;
  if (block.list) return block.list.map((item) => `- ${markdownText(item)}`).join('\n');
  if (block.code !== undefined) return markdownCode(block.code);
  if (block.table) return markdownTable(block.table);
  return markdownText(block.text);
}

export const markdown = (blocks) => `${blocks.map(markdownBlock).join('\n\n')}\n`;

// ---- HTML ----

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text) => text.replace(/[&<>"']/g, (letter) => ENTITIES[letter]);

const htmlText = (text) =>
  pieces(text).map((piece) => (typeof piece === 'string' ? escapeHtml(oneLine(piece)) : `<code>${escapeHtml(oneLine(piece.code))}</code>`)).join('');

function htmlTable({ head, rows }) {
  const names = head.map((cell) => `<th scope="col">${htmlText(cell)}</th>`).join('');
  // On a phone each row is a list of its cells, which then have their names beside them.
  const cells = (row) => row.map((cell, index) => `<td data-name="${escapeHtml(oneLine(head[index]))}"><span>${htmlText(cell)}</span></td>`).join('');
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n');
  return `<div class="scrolls" tabindex="0" role="region" aria-label="${escapeHtml(`Table: ${head.map(oneLine).join(', ')}`)}"><table>\n`
    + `<thead><tr>${names}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}

function htmlBlock(block) {
  if (block.heading !== undefined) return `<h${block.level} id="${anchor(block.heading)}">${htmlText(block.heading)}</h${block.level}>`;
  if (block.list) return `<ul>${block.list.map((item) => `<li>${htmlText(item)}</li>`).join('\n')}</ul>`;
  if (block.code !== undefined) return `<pre tabindex="0"><code>${escapeHtml(lines(block.code))}</code></pre>`;
  if (block.table) return htmlTable(block.table);
  return `<p>${htmlText(block.text)}</p>`;
}

const STYLE = `
:root { color-scheme: light dark; --ground: light-dark(#fbfaf7, #101315); --panel: light-dark(#fff, #191d20); --text: light-dark(#1c1f22, #e8e6e1);
  --soft: light-dark(#575d64, #a4abb3); --line: light-dark(#dedbd3, #30363c); --accent: light-dark(#0b6b5c, #4fc3ae); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.page { display: grid; gap: 0 3rem; max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
main { min-width: 0; max-width: 48rem; }
h1 { margin: 0 0 1rem; font-size: clamp(1.6rem, 1.2rem + 2vw, 2.2rem); line-height: 1.2; letter-spacing: -0.02em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 0.75rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.35rem; letter-spacing: -0.01em; }
h3 { margin: 1.75rem 0 0.5rem; font-size: 1.05rem; }
p, li { max-width: 68ch; overflow-wrap: anywhere; }
li { margin: 0.25rem 0; }
a { color: var(--accent); text-underline-offset: 0.15em; }
code { font: 0.9em ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace; }
:not(pre) > code { padding: 0.1em 0.35em; border-radius: 0.3em; background: light-dark(#efede7, #23292d); overflow-wrap: anywhere; }
pre { margin: 1rem 0; padding: 0.85rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--panel); overflow-x: auto; line-height: 1.5; }
.scrolls { margin: 1rem 0; overflow-x: auto; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--panel); }
table { width: 100%; border-collapse: collapse; font-size: 0.93rem; line-height: 1.45; }
th, td { padding: 0.55rem 0.85rem; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-size: 0.82rem; font-weight: 600; white-space: nowrap; }
td:first-child code { white-space: nowrap; }
nav { margin-bottom: 1.5rem; font-size: 0.93rem; }
nav ol { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin: 0; padding: 0; list-style: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (min-width: 64rem) {
  .page { grid-template-columns: 12rem minmax(0, 1fr); }
  nav { position: sticky; top: 2.5rem; align-self: start; padding-top: 0.4rem; }
  nav ol { flex-direction: column; }
}
@media (max-width: 40rem) {
  .page { padding: 1.5rem 1rem 3rem; }
  h2 { margin-top: 2rem; }
  table, tbody, tr { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--line); }
  tr:last-child { border-bottom: 0; }
  td { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0 0.6rem; padding: 0.15rem 0; border: 0; }
  td::before { content: attr(data-name); color: var(--soft); font-size: 0.82rem; }
  td:first-child code { white-space: normal; }
}
@media print { nav { display: none; } .page { display: block; } }
`;

/** A whole document, which needs nothing else and runs no script. */
export function html(title, blocks) {
  const parts = blocks.filter(({ level }) => level === 2).map(({ heading }) => `<li><a href="#${anchor(heading)}">${htmlText(heading)}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(oneLine(title))}</title>
<style>${STYLE}</style>
</head>
<body>
<div class="page">
<nav aria-label="On this page"><ol>
${parts.join('\n')}
</ol></nav>
<main>
${blocks.map(htmlBlock).join('\n')}
</main>
</div>
</body>
</html>
`;
}
