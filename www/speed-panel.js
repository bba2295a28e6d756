// Shows what was measured: a chart, and a table with the numbers.

import { ready } from '../pkg/browser.js';

import { bars } from './chart.js';
import { $, element } from './elements.js';
import { SERIES, measure } from './speed.js';

const micros = (value) => (value === undefined ? '–' : value.toFixed(value < 10 ? 2 : 1));

function table(results) {
  const head = element('tr', ['', ...SERIES.map(({ title }) => title)].map((text) => Object.assign(element('th', text), { scope: 'col' })));
  const rows = results.map((result) => element('tr', [
    Object.assign(element('th', result.name), { scope: 'row' }), ...SERIES.map(({ id }) => element('td', micros(result[id]), 'number')),
  ]));
  return element('table', [element('caption', 'Microseconds each, the median of five rounds'), element('thead', [head]), element('tbody', rows)]);
}

/** One sentence, of the row that says most. */
function sentence(results) {
  const { edgegate, jose } = results.find(({ name }) => name === 'HS256');
  const beside = jose === undefined ? '' : `, and ${micros(jose)} µs with jose`;
  return `Done. An HS256 token takes ${micros(edgegate)} µs here${beside}.`;
}

async function onClick() {
  const button = $('measure');
  button.disabled = true;
  $('speed').hidden = true;
  try {
    await ready();
    const results = await measure((name) => {
      $('speed-status').textContent = `Measuring ${name} …`;
    });
    $('speed').replaceChildren(bars(results, SERIES, 'Microseconds for one verification: shorter is faster'), table(results));
    $('speed').hidden = false;
    $('speed-status').textContent = sentence(results);
  } catch (error) {
    $('speed-status').textContent = `Not measured: ${error.message}`;
  } finally {
    button.disabled = false;
  }
}

export function startSpeed() {
  $('measure').addEventListener('click', onClick);
}
