// A chart of bars, as SVG that reads aloud.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 640;
const NAMES = 80;
const VALUES = 90;
const ROW = 34;

function svg(name, attributes = {}, text = '') {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.textContent = text;
  return made;
}

/** One bar for each of `{name, value}`; the table beside it has the numbers. */
export function bars(items, title) {
  const height = items.length * ROW + 8;
  const most = Math.max(...items.map(({ value }) => value));
  const chart = svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-labelledby': 'chart-title chart-text' });
  const spoken = items.map(({ name, value }) => `${name} ${value.toFixed(1)}`).join(', ');
  chart.append(svg('title', { id: 'chart-title' }, title), svg('desc', { id: 'chart-text' }, spoken));
  chart.append(svg('line', { class: 'axis', x1: NAMES, x2: NAMES, y1: 0, y2: height }));
  items.forEach(({ name, value }, index) => {
    const top = index * ROW + 8;
    const length = Math.max(2, (value / most) * (WIDTH - NAMES - VALUES));
    chart.append(
      svg('text', { x: NAMES - 10, y: top + 15, 'text-anchor': 'end' }, name),
      svg('rect', { class: 'bar', x: NAMES, y: top, width: length, height: ROW - 14, rx: 3 }),
      svg('text', { class: 'value', x: NAMES + length + 8, y: top + 15 }, `${value.toFixed(value < 10 ? 2 : 1)} µs`),
    );
  });
  return chart;
}
