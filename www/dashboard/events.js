// The last samples, newest first: who was refused and why, who administered, what fired.

import { button, h, panel, redraw } from './elements.js';
import { missing } from './missing.js';
import { table } from './table.js';
import { moment, number } from './words.js';

const MOST = 100;
const KINDS = { all: 'Everything', refused: 'Refused', admitted: 'Admitted', administered: 'Administration', alerts: 'Alerts' };

export function events({ live, explain }) {
  let kind = 'refused';
  let wanted = '';
  let drawn = '';
  const body = panel('Last events');
  const filter = h('select', { id: 'kind', change: () => { kind = filter.value; again(); } }, Object.entries(KINDS).map(([word, text]) => h('option', { value: word, selected: word === kind }, text)));
  const search = h('input', { id: 'search', type: 'search', autocomplete: 'off', spellcheck: 'false', input: () => { wanted = search.value.trim().toLowerCase(); again(); } });
  const pause = button('Pause', () => {
    live.pause(!live.isPaused());
    word();
  });
  const word = () => { pause.textContent = live.isPaused() ? 'Go on' : 'Pause'; };
  const bar = h('div', { class: 'controls' },
    h('div', { class: 'field inline' }, h('label', { for: 'kind' }, 'Show'), filter),
    h('div', { class: 'field inline wide' }, h('label', { for: 'search' }, 'With the text'), search), pause);
  const note = h('p', { class: 'hint' }, 'Samples: of each isolate at most a hundred in ten seconds, the last 200 in all. Nobody is named: “s…” is always the same subject, “c…” the same credential. The numbers of the overview have everything.');
  const root = h('div', {}, bar, body.section, note);
  word();

  const again = () => { drawn = ''; update(live.known); };

  function update({ report }) {
    if (report === null) return redraw(root, missing('watch'));
    if (!report) return undefined;
    const found = report.events.filter((event) => isOf(kind, event) && (wanted === '' || JSON.stringify(event).toLowerCase().includes(wanted)));
    const rows = together(found).slice(0, MOST);
    const same = JSON.stringify(rows);
    if (same === drawn) return undefined;
    drawn = same;
    return redraw(body.body, table({
      caption: 'Last events, newest first', rows, none: wanted ? 'No event has this text.' : 'No event of this kind yet.',
      columns: [
        { title: 'When', cell: ({ at }) => moment(at / 1000), is: 'when' },
        { title: 'What', cell: what, head: true },
        { title: 'Where', cell: ({ method, route }) => [method, ' ', route].filter(Boolean), is: 'path' },
        { title: 'Who', cell: who, is: 'mono' },
        { title: 'From', cell: ({ network, country, asn, agent }) => [network, country, asn && `AS${asn}`, agent].filter(Boolean).join(' · ') },
        { title: '', cell: (event) => (event.event === 'refused' ? button('Explain', () => explain(event), { class: 'small', 'aria-label': `Explain ${event.code} on ${event.route ?? 'no route'}`, 'data-keep': `explain ${event.id}` }) : ''), is: 'actions' },
      ],
    }));
  }

  return { root, update };
}

const isOf = (kind, { event }) => kind === 'all' || event === kind || (kind === 'alerts' && (event === 'firing' || event === 'resolved'));

/** Neighbours that say the same are one line, with how many they are. */
function together(events) {
  const rows = [];
  for (const event of events) {
    const { id: _, at: __, n, ...rest } = event;
    const same = JSON.stringify(rest);
    const last = rows.at(-1);
    if (last?.same === same && event.event === 'refused') last.n += n;
    else rows.push({ ...event, same });
  }
  return rows;
}

function what({ event, code, reason, status, rule, group, value, threshold, n }) {
  const times = n > 1 && h('span', { class: 'times' }, ` × ${number(n)}`);
  if (event === 'firing' || event === 'resolved') return [h('span', { class: `state ${event === 'firing' ? 'bad' : 'good'}` }, event), ` ${rule}${group ? ` ${group}` : ''}: ${value} of ${threshold}`];
  if (event === 'administered') return [h('span', { class: `state ${status < 400 ? 'quiet' : 'bad'}` }, `administration ${status}`), code && ` ${code}`];
  if (event === 'admitted') return [h('span', { class: 'state good' }, 'admitted'), times];
  return [h('span', { class: 'mono' }, code), times, reason && reason.toUpperCase() !== code && h('span', { class: 'soft block mono' }, reason)];
}

const who = ({ actor, subject, credential, identity }) => [actor ?? subject ?? identity, credential && h('span', { class: 'soft block' }, credential)].filter(Boolean);
