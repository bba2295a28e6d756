// `edgegate check`: a policy before it is deployed.

import { findConfiguration, readProject } from '../project.js';
import { SHADOW, examine, hasErrors } from '../policy-check.js';
import { done, plain, result, say, style } from '../output.js';
import { REFUSED } from '../failure.js';

export function check(program) {
  program.command('check [file]')
    .description('check a policy: in wrangler.toml or wrangler.jsonc, or alone in a file of TOML or JSON')
    .option('-e, --env <name>', "one of wrangler's environments")
    .option('--strict', 'warnings count as errors')
    .option('--shadow', 'the policy that may come: POLICY_SHADOW')
    .action(async (file, options) => {
      const project = readProject(file ?? findConfiguration(process.cwd()), options.env, options.shadow ? SHADOW : undefined);
      const found = await examine(project, options.env);
      const ok = !hasErrors(found.findings) && !(options.strict && found.findings.length > 0);
      const { findings, source, secrets, missing, bindings } = found;
      result(options, { ok, file: project.file, source, findings, secrets, missing, bindings }, () => '');
      if (!options.json) report(project, found, ok);
      if (!ok) process.exitCode = REFUSED;
    });
}

/** Says what was found; also before the policy is run or deployed. */
export function report({ file }, { findings, source, secrets, missing }, ok = !hasErrors(findings)) {
  for (const { level, path, message, hint, line } of findings) {
    const word = level === 'error' ? style('red', 'error:') : style('yellow', 'warning:');
    say(plain(`${line ? `${file}:${line}: ` : ''}${path ? `${path}: ` : ''}${message}`), word);
    for (const one of hint?.split('\n') ?? []) say(`    ${one}`);
  }
  if (source === 'kv') say('the policy is in KV: npx edgegate check policy.json checks it before you put it there');
  if (missing.length > 0) say(`not in .dev.vars, and needed as secrets: ${missing.join(', ')}`, style('dim', 'note:'));
  if (ok) done(`${file}: the gate takes this policy${secrets.length > 0 ? `; its secrets are ${secrets.join(', ')}` : ''}`);
}
