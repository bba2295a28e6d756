// What happened and what is wrong: success and failure first.

import { timeChart } from './chart.js';
import { button, fault, h, panel, redraw, redrawOf } from './elements.js';
import { WINDOWS } from './live.js';
import { missing } from './missing.js';
import { barred, table } from './table.js';
import { verdictOf } from './verdict.js';
import { compact, duration, moment, number, percent } from './words.js';

const SIGNS = { good: '✓', bad: '!', unsure: '?' };

export function overview({ live }) {
  const verdict = h('div', { class: 'verdict' });
  const figures = h('dl', { class: 'figures' });
  const chart = timeChart();
  const time = panel('Requests over time', chart.place);
  const alerts = panel('Alerts');
  const refusals = panel('Why requests were refused');
  const routes = panel('Routes');
  const networks = panel('Networks with failed credentials');
  const expired = panel('How late expired tokens were');
  const health = panel('Stores');
  const parts = h('div', { class: 'grid' }, refusals.section, alerts.section, routes.section, networks.section, expired.section, health.section);
  const instead = h('div', {});
  const choices = controls(live);
  const root = h('div', {}, verdict, choices, figures, time.section, parts, instead);
  const open = new Set();

  function update(known) {
    const told = verdictOf(known);
    redraw(verdict, h('span', { class: `sign ${told.kind}`, 'aria-hidden': 'true' }, SIGNS[told.kind]),
      h('div', {}, h('p', { class: 'title' }, told.title), told.more.length > 0 && h('p', { class: 'more' }, told.more.join(' · '))));
    const { report } = known;
    const counted = report !== undefined && report !== null;
    for (const place of [figures, time.section, choices]) place.hidden = !counted;
    for (const { section } of [refusals, alerts, routes, networks, expired]) section.hidden = !counted;
    health.section.hidden = !known.health;
    redraw(instead, report === null && missing('watch'), report === undefined && known.fault && fault(known.fault));
    if (known.health) redrawOf(health.body, known.health, () => stores(known.health));
    if (counted) show(report);
  }

  function show(report) {
    const { admitted, refused } = report.decisions;
    const all = admitted + refused;
    redraw(figures,
      figure('Admitted', percent(admitted, all), `${number(admitted)} requests`, 'first'),
      figure('Refused', percent(refused, all), `${number(refused)} requests`, refused > 0 ? 'first bad' : 'first'),
      figure('Requests', compact(all), `${rate(all, report.window_secs)} a second`),
      figure('Failed credentials', compact(report.networks.reduce((sum, { failures }) => sum + failures, 0)), `from ${number(report.networks.length)} network${report.networks.length === 1 ? '' : 's'}`));
    chart.update(report);
    redrawOf(alerts.body, report.alerts, () => alertTable(report.alerts));
    redrawOf(refusals.body, report.refusals, () => refusalTable(report, open, refused));
    redrawOf(routes.body, report.routes, () => routeTable(report.routes));
    redrawOf(networks.body, report.networks, () => networkTable(report.networks));
    expired.section.hidden = Object.keys(report.lateness).length === 0;
    redrawOf(expired.body, report.lateness, () => lateTable(report.lateness));
  }

  return { root, update };
}

const rate = (n, secs) => {
  const value = n / secs;
  return value >= 10 ? number(Math.round(value)) : value >= 0.01 || value === 0 ? String(Number(value.toFixed(2))) : '< 0.01';
};

const figure = (name, value, more, kind = '') => h('div', { class: `figure ${kind}` }, h('dt', {}, name), h('dd', {}, h('span', { class: 'value' }, value), h('span', { class: 'more' }, more)));

function controls(live) {
  const choice = h('fieldset', { class: 'choice' }, h('legend', { class: 'unseen' }, 'Window of time'), Object.entries(WINDOWS).map(([window, [title]]) => h('label', {},
    h('input', { type: 'radio', name: 'window', value: window, checked: window === live.known.window, change: () => live.choose(window) }), h('span', {}, title))));
  const pause = button(live.isPaused() ? 'Go on' : 'Pause', () => {
    live.pause(!live.isPaused());
    pause.textContent = live.isPaused() ? 'Go on' : 'Pause';
  });
  return h('div', { class: 'controls' }, choice, pause);
}

const STATES = { ok: ['good', 'ok'], pending: ['unsure', 'pending'], firing: ['bad', 'firing'], resolving: ['bad', 'resolving'] };
const CAUSES = { refresh_broken: 'clients do not refresh their tokens', clock_skew: 'clocks differ', lifetime_too_short: 'tokens live too short, or are renewed too late' };
const ORDER = ['firing', 'resolving', 'pending', 'ok'];

export const state = (kind, text) => h('span', { class: `state ${kind}` }, text);

function alertTable(alerts) {
  const rows = [...alerts].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return table({
    caption: 'Alerts', rows, none: 'This policy has no rules.',
    columns: [
      { title: 'Rule', cell: ({ rule, group, cause }) => [rule, group && h('span', { class: 'soft' }, ` ${group}`), cause && h('span', { class: 'soft block' }, `Likely: ${CAUSES[cause] ?? cause}`)], head: true },
      { title: 'State', cell: (row) => state(...(STATES[row.state] ?? ['unsure', row.state])) },
      { title: 'Since', cell: ({ since }) => (since === null ? '' : moment(since / 1000)), is: 'when' },
      { title: 'Now', cell: ({ value }) => number(value), is: 'number' },
      { title: 'Above', cell: ({ threshold }) => number(threshold), is: 'number' },
    ],
  });
}

function routeTable(routes) {
  return table({
    caption: 'Routes', rows: routes, none: 'No request in this window.',
    columns: [
      { title: 'Route', cell: ({ route }) => route || h('i', {}, 'none matched'), head: true, is: 'path' },
      { title: 'Admitted', cell: ({ admitted }) => number(admitted), is: 'number' },
      { title: 'Refused', cell: ({ refused }) => number(refused), is: 'number' },
      { title: 'Share refused', cell: ({ admitted, refused }) => barred(refused, admitted + refused, percent(refused, admitted + refused), 'bad'), is: 'barred' },
    ],
  });
}

function networkTable(networks) {
  const most = Math.max(...networks.map(({ failures }) => failures), 1);
  return table({
    caption: 'Networks with failed credentials', rows: networks, none: 'No credential failed in this window.',
    columns: [
      { title: 'Network', cell: ({ network }) => (network === '*' ? 'all others' : network), head: true, is: 'mono' },
      { title: 'Failures', cell: ({ failures }) => barred(failures, most, number(failures), 'bad'), is: 'barred' },
    ],
  });
}

/** By code; a code with several reasons opens to them. */
function refusalTable({ refusals }, open, all) {
  const codes = new Map();
  for (const { code, reason, n } of refusals) {
    const known = codes.get(code) ?? { code, n: 0, reasons: [] };
    known.n += n;
    known.reasons.push([reason ?? 'no finer reason', n]);
    codes.set(code, known);
  }
  const rows = [...codes.values()].sort((a, b) => b.n - a.n);
  return table({
    caption: 'Refusals by code and reason', rows, none: 'No request was refused in this window.',
    columns: [
      {
        title: 'Code', head: true, cell: ({ code, reasons }) => h('details', { open: open.has(code), toggle: (event) => (event.target.open ? open.add(code) : open.delete(code)) },
          h('summary', { class: 'mono', 'data-keep': `code ${code}` }, code), h('ul', { class: 'reasons' }, reasons.map(([reason, n]) => h('li', {}, h('span', { class: 'mono' }, reason), ` ${number(n)}`)))),
      },
      { title: 'Refused', cell: ({ n }) => barred(n, all, number(n), 'bad'), is: 'barred' },
    ],
  });
}

const LATE = [['seconds', 'up to 5 seconds: clocks differ'], ['minutes', 'up to an hour: renewed too late'], ['hours', 'later: not renewed at all']];

function lateTable(lateness) {
  const all = Object.values(lateness).reduce((a, b) => a + b, 0);
  return table({
    caption: 'Expired tokens', rows: LATE.map(([word, text]) => ({ text, n: lateness[word] ?? 0 })),
    columns: [{ title: 'Late by', cell: ({ text }) => text, head: true }, { title: 'Tokens', cell: ({ n }) => barred(n, all, number(n)), is: 'barred' }],
  });
}

const HEALTH = { ok: 'good', failing: 'bad', missing: 'bad', unused: 'quiet', unasked: 'unsure' };

function stores({ bindings, version, snapshot }) {
  return [table({
    caption: 'Stores', rows: Object.entries(bindings),
    columns: [{ title: 'Store', cell: ([name]) => name, head: true }, { title: 'State', cell: ([, word]) => state(HEALTH[word] ?? 'unsure', word) }],
  }), h('p', { class: 'hint' }, `edgegate ${version}`, snapshot?.age_secs !== undefined && ` · the snapshot of revocations is ${duration(snapshot.age_secs)} old`)];
}
