// What the gate would say to a request, and why. Nothing of it happens: `POST /auth/admin/explain`.

import { button, fault, h, panel, redraw } from './elements.js';
import { field } from './forms.js';
import { state } from './overview.js';
import { table } from './table.js';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'].map((method) => [method, method]);
const VERDICTS = { passed: 'good', refused: 'bad', skipped: 'quiet', would_be_asked: 'unsure', not_reached: 'quiet' };

export function explaining({ gate, question }) {
  const method = field({ name: 'method', label: 'Method', options: METHODS, value: question?.method ?? 'GET' });
  const path = field({ name: 'path', label: 'Path', required: true, value: question?.path ?? '/', hint: 'As it was asked for, with its query if that matters' });
  const headers = field({ name: 'headers', label: 'Headers', lines: 4, hint: 'A line each, as “Authorization: Bearer …”. They go to the gate and into no log.' });
  const answer = h('div', { 'aria-live': 'polite' });
  const go = h('button', { type: 'submit', class: 'main' }, 'Explain');
  const form = h('form', {
    class: 'lined', submit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        const body = { method: method.read(), path: path.read(), headers: headersOf(headers.input.value) };
        redraw(answer, explained(await gate.ask('POST', '/admin/explain', { body })));
      } catch (error) {
        redraw(answer, fault(error));
      } finally {
        go.disabled = false;
      }
    },
  }, question?.note && h('p', { class: 'hint' }, question.note), h('div', { class: 'row' }, method.place, path.place), headers.place, h('div', { class: 'actions' }, go, button('Clear', () => { headers.input.value = ''; redraw(answer); })));
  return { root: h('div', {}, panel('Why would this request be refused?', form).section, answer), update() {} };
}

function headersOf(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf(':');
    if (at < 1) throw Object.assign(new Error('header'), { title: 'A line of the headers is none.', hint: 'Expected “Name: value”.' });
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  }));
}

function explained({ route, steps, outcome: { status, code, reason } }) {
  const title = code === null ? `It would be admitted (${status})` : `It would be refused: ${status} ${code}`;
  const { section, body } = panel(title);
  body.append(h('p', {}, route === null ? 'No route of the policy matches.' : ['The route is ', h('code', {}, route), '.'], reason && [' The reason is ', h('code', {}, reason), '.']), table({
    caption: 'Steps', rows: steps,
    columns: [
      { title: 'Step', cell: ({ step }) => step, head: true },
      { title: 'Verdict', cell: ({ verdict }) => state(VERDICTS[verdict] ?? 'unsure', verdict.replaceAll('_', ' ')) },
      { title: 'Why', cell: ({ detail }) => detail ?? '' },
      { title: 'Decided by', cell: (row) => row.policy_path ?? '', is: 'mono' },
    ],
  }));
  return section;
}
