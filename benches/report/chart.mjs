// The ratios that have a target, as bars, in an SVG that reads in dark and in light and says in words what it shows.

import { isMet, moreIsBetter, targetText, verdict } from './results.mjs';

const WIDTH = 860;
const LABELS = 400;
/** Beside the longest bar: the ratio and the verdict. */
const VERDICTS = 130;
const LINE = 24;
const BAR = 12;
const HEADING = 44;
const MARGIN = 16;
/** What an axis shows at least, on either side of 1. */
const LEAST = 1.5;

/** How `benches/` calls edgegate. */
const CALLS = ['verifySync', 'await verify', 'keys.verify'];

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .heading { font-weight: 600; font-size: 14px }
  .axis { stroke: #818b98; stroke-width: 1 }
  .target { stroke: #1f2328; stroke-width: 2 }
  .met { fill: #1a7f37 }
  .missed { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .axis { stroke: #9198a1 }
    .target { stroke: #f0f6fc }
    .met { fill: #3fb950 }
    .missed { fill: #f0883e }
  }
`;

/**
 * Two panels, for ratios that should be great and for those that should be small. A bar begins at 1, on a logarithmic axis:
 * half is as far from it as double.
 */
export function chart({ rows }) {
  const wanted = rows
    .flatMap((row) => row.comparisons.map((one) => ({ label: label(row.about, one), one })))
    .filter(({ one }) => isMet(one) !== undefined);
  const panels = [
    { heading: 'Times as fast as the peer: more is better', lines: wanted.filter(({ one }) => moreIsBetter(one)) },
    { heading: "Part of the peer's time or of the size wanted: less is better", lines: wanted.filter(({ one }) => !moreIsBetter(one)) },
  ].filter(({ lines }) => lines.length > 0);
  let top = MARGIN;
  let body = '';
  for (const { heading, lines } of panels) {
    body += panel(heading, lines, top);
    top += HEADING + LINE * lines.length + MARGIN;
  }
  const said = panels.flatMap(({ heading, lines }) => [`${heading}.`, ...lines.map((line) => `${line.label}: ${outcome(line.one)}.`)]);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top + MARGIN}" role="img" aria-labelledby="title description">
<title id="title">edgegate beside its peers</title>
<desc id="description">${escape(said.join(' '))}</desc>
<style>${STYLE}</style>
${body}</svg>
`;
}

function panel(heading, lines, top) {
  const values = lines.flatMap(({ one }) => [one.ratio, target(one)]);
  const at = axis(Math.min(1 / LEAST, ...values), Math.max(LEAST, ...values));
  const begin = top + HEADING;
  const end = begin + LINE * lines.length;
  const one = at(1).toFixed(1);
  return [
    `<text class="heading" x="${MARGIN}" y="${(top + 18).toFixed(1)}">${escape(heading)}</text>`,
    ...lines.map((line, index) => bar(line, at, begin + LINE * index + LINE / 2)),
    `<line class="axis" x1="${one}" x2="${one}" y1="${begin.toFixed(1)}" y2="${end.toFixed(1)}"/>`,
    `<text x="${one}" y="${(begin - 6).toFixed(1)}" text-anchor="middle">1×</text>\n`,
  ].join('\n');
}

function bar({ label: name, one }, at, middle) {
  const [from, to] = [at(Math.min(one.ratio, 1)), at(Math.max(one.ratio, 1))];
  const wanted = at(target(one)).toFixed(1);
  const [above, below] = [middle - LINE / 2 + 2, middle + LINE / 2 - 2].map((y) => y.toFixed(1));
  const base = (middle + 4).toFixed(1);
  return [
    `<text x="${(LABELS - 10).toFixed(1)}" y="${base}" text-anchor="end">${escape(name)}</text>`,
    `<rect class="${isMet(one) ? 'met' : 'missed'}" x="${from.toFixed(1)}" y="${(middle - BAR / 2).toFixed(1)}" width="${Math.max(to - from, 1).toFixed(1)}" height="${BAR}"/>`,
    `<line class="target" x1="${wanted}" x2="${wanted}" y1="${above}" y2="${below}"/>`,
    `<text x="${(WIDTH - VERDICTS + 8).toFixed(1)}" y="${base}">${escape(`${one.ratio.toFixed(2)}× ${verdict(one)}`)}</text>`,
  ].join('\n');
}

const target = ({ target: wanted }) => wanted.at_least ?? wanted.at_most;

/** Where ratios are, between the labels and the verdicts. */
export const axis = (low, high) => (ratio) => LABELS + (Math.log(ratio / low) / Math.log(high / low)) * (WIDTH - VERDICTS - LABELS);

/** Where the subject only says how edgegate was called, the row says more. */
function label(about, { subject, peer, kind }) {
  const name = CALLS.includes(subject) ? about : subject;
  return kind === 'size' ? name : `${name}, beside ${peer}`;
}

/** `12.50×, wanted ≥ 12×, met`. */
const outcome = (one) => `${one.ratio.toFixed(2)}×, wanted ${targetText(one)}, ${verdict(one)}`;

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
export const escape = (text) => text.replace(/[&<>"]/g, (character) => ESCAPES[character]);
