// One sentence about everything: what fires, what does not answer, how old the counts are.

import { dayAndTime, duration, moment, number } from './words.js';

/** Counts that are older are told to be so. */
const OLD_SECS = 120;

/** `kind`: `good`, `bad`, `unsure`; a short word, a sentence, and what else is to be known. */
export function verdictOf({ report, health, fault, at }) {
  if (fault) return { kind: 'bad', word: 'No answer', title: fault.title, more: [fault.hint, at && `What is shown is of ${moment(at / 1000)}.`].filter(Boolean) };
  if (report === undefined) return { kind: 'unsure', word: 'Asking', title: 'Asking the gate …', more: [] };
  const unwell = health && health.status !== 'ok';
  const failing = Object.entries(health?.bindings ?? {}).filter(([, state]) => state === 'failing' || state === 'missing').map(([name, state]) => `${name} is ${state}`);
  const firing = (report?.alerts ?? []).filter(({ state }) => state === 'firing' || state === 'resolving');
  const more = [...(report ? countsOf(report) : []), ...(firing.length > 0 ? failing : [])];
  if (firing.length > 0) {
    const names = [...new Set(firing.map(({ rule }) => rule))];
    const since = Math.min(...firing.map(({ since: at }) => at ?? Infinity));
    const when = Number.isFinite(since) ? ` since ${moment(since / 1000)}` : '';
    return { kind: 'bad', word: `${names.length} firing`, title: `Firing${when}: ${names.join(', ')}`, more };
  }
  if (unwell) return { kind: 'bad', word: health.status, title: `The gate is ${health.status}${failing.length > 0 ? `: ${failing.join(', ')}` : ''}`, more };
  if (report === null) return { kind: 'unsure', word: 'No watch', title: 'The stores answer. This policy has no watch, so nothing is counted.', more };
  if (!health) return { kind: 'unsure', word: 'Health unknown', title: 'Nothing fires. The health is not known.', more };
  const ended = report.alerts.map(({ since }) => since ?? 0).reduce((a, b) => Math.max(a, b), 0);
  return { kind: 'good', word: 'All well', title: `All is well: nothing fires${ended > 0 ? ` since ${dayAndTime(ended / 1000)}` : ''}, and the stores answer.`, more };
}

function countsOf({ data_age_secs: age, dropped, lost, isolates, waiting }) {
  const told = [age === null ? 'Nothing was counted yet' : `The newest count is ${duration(age)} old${age > OLD_SECS ? ': no traffic, or nothing arrives' : ''}`];
  if (isolates > 0) told.push(`${number(isolates)} isolate${isolates === 1 ? '' : 's'}`);
  told.push(lost + dropped === 0 ? 'nothing lost' : `${number(lost)} decisions lost, ${number(dropped)} samples dropped`);
  if (waiting > 0) told.push(`${number(waiting)} messages wait for a sink`);
  return told;
}
