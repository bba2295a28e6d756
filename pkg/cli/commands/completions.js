// `edgegate completions`: what a shell offers after Tab. The shells ask the program itself, so that there is one list.

import { Argument } from 'commander';

const SCRIPTS = {
  bash: `_edgegate() {
  local IFS=$'\\n'
  COMPREPLY=( $(edgegate __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
}
complete -o default -F _edgegate edgegate
`,
  zsh: `#compdef edgegate
_edgegate() {
  local -a offered
  offered=( \${(f)"$(edgegate __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"} )
  if (( \${#offered} )); then compadd -- $offered; else _files; fi
}
compdef _edgegate edgegate
`,
  fish: `complete -c edgegate -f -a '(edgegate __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

export function completions(program) {
  program.command('completions')
    .description('a script for your shell, after npm install -g edgegate: source <(edgegate completions bash)')
    .addArgument(new Argument('<shell>', 'of which shell').choices(Object.keys(SCRIPTS)))
    .action((shell) => process.stdout.write(SCRIPTS[shell]));
  program.command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .action((words) => process.stdout.write(offered(program, words).map((word) => `${word}\n`).join('')));
}

/** What may stand in the place of the last word. */
export function offered(program, words) {
  const before = words.slice(0, -1);
  const begun = words.at(-1) ?? '';
  let command = program;
  for (const word of before) command = command.commands.find((one) => one.name() === word) ?? command;
  const options = command.options.filter((one) => !one.hidden);
  const last = options.find((one) => one.is(before.at(-1)));
  // The value of an option is anything.
  if (last?.required) return [];
  const names = command.commands.filter((one) => !one.name().startsWith('__')).map((one) => one.name());
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const all = begun.startsWith('-') ? [...options.map((one) => one.long), '--help'] : [...names, ...choices];
  return all.filter((one) => one.startsWith(begun));
}
