// `edgegate watch`: what happened, and what is wrong.

import { connect, gateOptions } from '../gate.js';
import { plain, result, table, time } from '../output.js';

export function watch(program) {
  gateOptions(program.command('watch').description('what happened in a window of time, and which rules fire'))
    .option('--window <time>', 'how long: 90s, 15m, 24h, 7d', '15m')
    .action(async (options) => {
      const report = await (await connect(options)).call('watch', { window: options.window });
      result(options, report, shown);
    });
}

function shown(report) {
  const { decisions, codes, alerts, dropped, lost, data_age_secs: age, shadow, accounts } = report;
  const losses = dropped + lost === 0 ? 'nothing lost' : `${dropped} samples dropped, ${lost} decisions lost`;
  return [
    plain(`${decisions.admitted} admitted, ${decisions.refused} refused; the newest count is ${age ?? '-'} s old; ${losses}`),
    table(['RULE', 'GROUP', 'STATE', 'SINCE', 'VALUE', 'MORE THAN', 'CAUSE'], alerts.map((one) => [
      one.rule, one.group, one.state, one.since === null ? undefined : time(Math.floor(one.since / 1000)), one.value, one.threshold, one.cause,
    ])),
    table(['CODE', 'REFUSED'], Object.entries(codes).sort(([, a], [, b]) => b - a)),
    ...(accounts === undefined ? [] : [table(['ACCOUNTS', 'BY', 'TIMES'], accounts.map(({ action, methods, n }) => [action, methods, n]))]),
    ...(shadow === undefined ? [] : [
      `the policy that may come: ${shadow.same} the same, ${shadow.different} different, ${shadow.not_judged} not judged`,
      table(['IS', 'WOULD BE', 'ROUTE', 'REQUESTS'], shadow.differences.map(({ from, to, route, n }) => [from, to, route, n])),
    ]),
  ].join('\n');
}
