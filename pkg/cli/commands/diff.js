// `edgegate diff`: what changes for callers if a policy takes the place of another.

import { Option } from 'commander';

import { REFUSED, misused } from '../failure.js';
import { done, jsonText, plain, result, say, style } from '../output.js';
import { KINDS, difference } from '../policy-diff.js';
import { policyObject, readProject } from '../project.js';

/** More callers of one change are counted. */
const SHOWN_CALLERS = 4;

export function diff(program) {
  program.command('diff <before> <after>')
    .description('what changes for callers from one policy to another: what is admitted now, what is refused now, which fields differ. Each is wrangler.toml or a policy alone')
    .option('-e, --env <name>', "one of wrangler's environments, of both")
    .addOption(new Option('--fail-on <what>', 'exit with 1 if there is such a change').choices(['admitted', 'refused', 'any']))
    .action(async (before, after, options) => {
      const [from, to] = [before, after].map((file) => ({ file, policy: policyObject(readProject(file, options.env)) }));
      const found = await compared(from, to);
      result(options, found, shown);
      if (!options.json) summary(found);
      const { failOn } = options;
      const counts = found.changes.some(({ kind }) => failOn === 'any' || kind === failOn) || (failOn === 'any' && found.fields.length > 0);
      if (failOn !== undefined && counts) process.exitCode = REFUSED;
    });
}

async function compared(from, to) {
  for (const { file, policy } of [from, to]) if (policy.source === 'kv') throw misused(`${file}: the policy is in KV`, 'compare the files that are put there');
  try {
    return await difference(from.policy, to.policy);
  } catch (error) {
    if (error.code !== 'CONFIG_ERROR') throw error;
    throw misused(`one of the policies is refused: ${error.message.replace(/^configuration: /, '')}`, 'npx edgegate check FILE says which');
  }
}

const COLOURS = { admitted: 'red', refused: 'yellow', otherwise: 'dim', limits: 'yellow' };
const MARKS = { admitted: '+', refused: '-', otherwise: '~', limits: '~' };

function shown({ changes, fields }) {
  const parts = Object.keys(KINDS).flatMap((kind) => {
    const own = changes.filter((one) => one.kind === kind);
    return own.length === 0 ? [] : [style(COLOURS[kind], `${KINDS[kind]}:`, process.stdout), ...own.map(change), ''];
  });
  if (fields.length > 0) parts.push('fields:', ...fields.map(field));
  return parts.join('\n').trimEnd();
}

function change({ kind, path, methods, what, routes, before, after, callers }) {
  const place = routes.before === routes.after ? routes.after ?? 'no route' : `${routes.before ?? 'no route'} -> ${routes.after ?? 'no route'}`;
  const more = callers.length > SHOWN_CALLERS ? [`${callers.length - SHOWN_CALLERS} more kinds of caller`] : [];
  const who = [...callers.slice(0, SHOWN_CALLERS), ...more].map((one) => `\n      ${plain(one)}`).join('');
  return `  ${MARKS[kind]} ${plain(what ?? methods.join(' '))} ${plain(path)} (${place}): ${plain(before)} -> ${plain(after)}${who}`;
}

const written = (value) => (value === undefined ? '–' : plain(jsonText(value)));

const field = ({ path, before, after, moved }) => `  ${plain(path)}${moved ? ' (order)' : ''}: ${written(before)} -> ${written(after)}`;

function summary({ changes, fields, tried }) {
  if (changes.length === 0 && fields.length === 0) done('the policies are the same');
  else if (changes.length === 0) done(`no caller notices: ${tried} kinds of request are decided alike; ${fields.length} fields differ`);
  else say(`${changes.length} changes among ${tried} kinds of request; ${fields.length} fields differ`);
}
