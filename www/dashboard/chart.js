// Requests over time, as columns: admitted below, refused above. The arrow keys read it column by column, and a table has the numbers.

import { h, redraw, s } from './elements.js';
import { table } from './table.js';
import { compact, duration, moment, number } from './words.js';

/** Before it is in the page. */
const FIRST_WIDTH = 960;
const HEIGHT = 220;
const LEFT = 46;
const BOTTOM = 24;
const TOP = 10;
const PLOT = HEIGHT - TOP - BOTTOM;
const GAP = 0.22;
/** How much room a time takes below the columns. */
const LABEL = 130;

/** All points of the window, with those that were quiet. */
export function points({ from, to, step_secs: step, timeline }) {
  const known = new Map(timeline.map((point) => [point.from, point]));
  const made = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) made.push(known.get(at) ?? { from: at, admitted: 0, refused: 0 });
  return made;
}

/** A round number above, with a whole half. */
export function ceiling(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 6, 10].map((factor) => factor * size).find((one) => one >= value);
}

export function timeChart() {
  let drawn = [];
  let step = 10;
  let wide = FIRST_WIDTH;
  let at;
  const drawing = h('div', { class: 'drawing', 'aria-hidden': 'true' });
  const reading = h('p', { class: 'reading', 'aria-hidden': 'true' });
  const slider = h('div', {
    class: 'chart', role: 'slider', tabindex: '0', 'data-keep': 'chart', 'aria-label': 'Requests over time. The arrow keys read it column by column.',
    'aria-orientation': 'horizontal', 'aria-valuemin': '0', keydown: onKey, blur: () => choose(undefined), pointermove: onPointer, pointerleave: () => choose(undefined),
  }, drawing);
  const numbers = h('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': 'Requests over time, as a table' });
  const details = h('details', { toggle: () => tabulate() }, h('summary', {}, 'As a table'), numbers);

  const sentence = ({ from, admitted, refused }) => `${moment(from)}, ${duration(step)}: ${number(admitted)} admitted, ${number(refused)} refused`;

  function choose(index) {
    at = index === undefined ? undefined : drawn[index]?.from;
    point();
  }

  function point() {
    const index = drawn.findIndex(({ from }) => from === at);
    const shown = index < 0 ? drawn.length - 1 : index;
    for (const [place, column] of [...drawing.querySelectorAll('.hit')].entries()) column.classList.toggle('chosen', place === index);
    slider.setAttribute('aria-valuemax', String(Math.max(drawn.length - 1, 0)));
    slider.setAttribute('aria-valuenow', String(Math.max(shown, 0)));
    slider.setAttribute('aria-valuetext', drawn[shown] ? sentence(drawn[shown]) : 'nothing');
    reading.textContent = index < 0 ? `A column is ${duration(step)}` : sentence(drawn[index]);
  }

  function onKey(event) {
    const now = drawn.findIndex(({ from }) => from === at);
    const from = now < 0 ? drawn.length - 1 : now;
    const moves = { ArrowLeft: now < 0 ? from : from - 1, ArrowRight: from + 1, ArrowDown: from - 1, ArrowUp: from + 1, PageDown: from - 10, PageUp: from + 10, Home: 0, End: drawn.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(Math.min(Math.max(moves[event.key], 0), drawn.length - 1));
  }

  function onPointer(event) {
    const { left, width } = drawing.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * wide;
    const index = Math.floor(((x - LEFT) / (wide - LEFT)) * drawn.length);
    choose(index >= 0 && index < drawn.length ? index : undefined);
  }

  function draw() {
    const most = ceiling(Math.max(...drawn.map(({ admitted, refused }) => admitted + refused), 0));
    const width = (wide - LEFT) / Math.max(drawn.length, 1);
    const y = (value) => TOP + PLOT - (value / most) * PLOT;
    const lines = [...new Set([0, Math.round(most / 2), most])].map((value) => s('g', {},
      s('line', { class: value === 0 ? 'axis' : 'grid', x1: LEFT, x2: wide, y1: y(value), y2: y(value) }),
      s('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, compact(value))));
    const every = Math.max(1, Math.ceil(drawn.length / ((wide - LEFT) / LABEL)));
    const columns = drawn.map(({ from, admitted, refused }, index) => {
      const x = LEFT + index * width;
      const rect = (kind, low, high) => high > low && s('rect', { class: kind, x: x + width * (GAP / 2), width: width * (1 - GAP), y: y(high), height: Math.max(y(low) - y(high), 1) });
      return s('g', {},
        s('rect', { class: 'hit', x, width, y: TOP, height: PLOT }),
        rect('admitted', 0, admitted), rect('refused', admitted, admitted + refused), refused > 0 && s('rect', { class: 'stripes', x: x + width * (GAP / 2), width: width * (1 - GAP), y: y(admitted + refused), height: Math.max(y(admitted) - y(admitted + refused), 1) }),
        index % every === 0 && x + LABEL / 2 < wide && s('text', { x, y: HEIGHT - 6 }, moment(from, { seconds: step < 60 })));
    });
    const stripes = s('pattern', { id: 'stripes', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, s('rect', { class: 'stripe', width: 2.5, height: 6 }));
    drawing.replaceChildren(s('svg', { viewBox: `0 0 ${wide} ${HEIGHT}` }, s('defs', {}, stripes), lines, columns));
    point();
  }

  function tabulate() {
    if (!details.open) return;
    redraw(numbers, table({
      caption: 'Requests over time', rows: [...drawn].reverse().filter(({ admitted, refused }) => admitted + refused > 0), none: 'No request in this window.',
      columns: [
        { title: `${duration(step)} from`, cell: ({ from }) => moment(from), head: true },
        { title: 'Admitted', cell: ({ admitted }) => number(admitted), is: 'number' },
        { title: 'Refused', cell: ({ refused }) => number(refused), is: 'number' },
      ],
    }));
  }

  new ResizeObserver(([{ contentRect: { width } }]) => {
    if (width === 0 || width === wide) return;
    wide = width;
    draw();
  }).observe(drawing);

  const legend = h('p', { class: 'legend' }, h('span', { class: 'key admitted' }), 'admitted', h('span', { class: 'key refused' }), 'refused', reading);
  return {
    place: h('div', {}, legend, slider, details),
    update(report) {
      step = report.step_secs;
      drawn = points(report);
      draw();
      tabulate();
    },
  };
}
