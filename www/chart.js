// A chart of bars in groups, as SVG that reads aloud.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 460;
const NAMES = 64;
const VALUES = 70;
const TITLES = 115;
const BAR = 16;
const GAP = 14;
const LEGEND = 30;

function svg(name, attributes = {}, text = '') {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.textContent = text;
  return made;
}

const digits = (value) => value.toFixed(value < 10 ? 2 : 1);

function legend(series) {
  return series.flatMap(({ id, title }, index) => [
    svg('rect', { class: `bar ${id}`, x: NAMES + index * TITLES, y: 4, width: 12, height: 12, rx: 2 }),
    svg('text', { x: NAMES + index * TITLES + 18, y: 15 }, title),
  ]);
}

/** A group for each of `items`: a name, and by the id of each series its value, or none. The table beside it has the numbers. */
export function bars(items, series, title) {
  const most = Math.max(...items.flatMap((item) => series.map(({ id }) => item[id] ?? 0)));
  const drawn = [];
  let top = LEGEND;
  for (const item of items) {
    const shown = series.filter(({ id }) => item[id] !== undefined);
    drawn.push(svg('text', { x: NAMES - 10, y: top + (shown.length * BAR) / 2 + 4, 'text-anchor': 'end' }, item.name));
    for (const { id } of shown) {
      const length = Math.max(2, (item[id] / most) * (WIDTH - NAMES - VALUES));
      drawn.push(svg('rect', { class: `bar ${id}`, x: NAMES, y: top, width: length, height: BAR - 3, rx: 2 }));
      drawn.push(svg('text', { class: 'value', x: NAMES + length + 8, y: top + 11 }, `${digits(item[id])} µs`));
      top += BAR;
    }
    top += GAP;
  }
  const chart = svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${top}`, role: 'img', 'aria-labelledby': 'chart-title chart-text' });
  const spoken = items.map((item) => `${item.name}: ${series.filter(({ id }) => item[id] !== undefined).map(({ id, title: of }) => `${of} ${digits(item[id])}`).join(', ')}`);
  chart.append(svg('title', { id: 'chart-title' }, title), svg('desc', { id: 'chart-text' }, spoken.join('; ')));
  chart.append(...legend(series), svg('line', { class: 'axis', x1: NAMES, x2: NAMES, y1: LEGEND - 6, y2: top - GAP + 6 }), ...drawn);
  return chart;
}
