// The blocks of code of a document, and what is done with each.
//
// ```js NAME.mjs   a file of the page; js, ts, json and toml alike
// ```js            a program, run with Node in its turn
// ```sh            lines of bash, in their turn; `# 401` behind a curl says the status, which is held against the answer
// ```toml          a policy, or fields of one, of an issuer or of api_keys: given to a gate
// ```json         JSON, which may have comments: the whole, or members of an object
// ```sh not-run: … any language; what stands behind says why it is not run
// ```text          what is printed, or a drawing

export const blocksOf = (text) =>
  [...text.matchAll(/^```(\w*)(?: ([^\n]*))?\n([^]*?)^```$/gm)].map(([all, language, info = '', code]) => ({
    language, info, code, line: text.slice(0, text.indexOf(all)).split('\n').length,
  }));

const FILE = /^[\w.-]+\.\w+$/;

/** `file`, `program`, `shell`, `policy`, `json`, `text`, or `not-run` with its reason; `undefined` if nothing says what to do with it. */
export function kindOf({ language, info }) {
  if (language === 'text') return 'text';
  if (/^not-run: \S.{8,}/.test(info)) return 'not-run';
  if (FILE.test(info)) return 'file';
  if (language === 'toml' && info === 'policy') return 'policy';
  if (info !== '') return undefined;
  return { js: 'program', sh: 'shell', toml: 'policy', json: 'json', jsonc: 'json' }[language];
}

/** Begins each script: answers are held against the status that the page names, servers are waited for. */
const PRELUDE = `set -eu -o pipefail
npm() { [ "$1" = install ] || { echo "npm $1 is not run here"; exit 1; }; }
npx() { [ "$1" = edgegate ] || { echo "npx $1 is not run here"; exit 1; }; shift; node ../node_modules/edgegate/bin/edgegate.js "$@"; }
expect() { # line, status, curl …
  local line=$1 want=$2 got; shift 2
  got=$("$@" -s -o answer.txt -w '%{http_code}' -m 20) || true
  [ "$got" = "$want" ] || { echo "line $line: expected $want, got $got: $(cat answer.txt)"; exit 1; }
}
listening() { for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; echo "nothing listens on $1"; exit 1; }
`;

const STATUS = /^(curl [^]*?) +# (\d{3})\b[^\n]*$/;

/** A block of a page as bash has it. Lines that go on behind a backslash are one. */
function shell({ code, line }) {
  let at = line;
  return code.split(/(?<!\\)\n/).map((command) => {
    at += 1;
    const here = at;
    at += command.split('\n').length - 1;
    const [, asked, status] = STATUS.exec(command) ?? [];
    if (asked !== undefined) return `expect ${here} ${status} ${asked}`;
    const [, port] = /&\s+# (\d+)$/.exec(command) ?? [];
    return port === undefined ? command : `${command}\nlistening ${port}`;
  }).join('\n');
}

/** The whole page as one script, and its files. Ports of the page are given others. */
export function scriptOf(blocks, ports) {
  const withPorts = (text) => Object.entries(ports).reduce((changed, [from, to]) => changed.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), String(to)), text);
  const files = [];
  const parts = [PRELUDE];
  for (const block of blocks) {
    const kind = kindOf(block);
    if (kind === 'file') files.push([block.info, withPorts(block.code)]);
    if (kind === 'shell') parts.push(shell({ ...block, code: withPorts(block.code) }));
    if (kind === 'program') {
      const name = `line-${block.line}.mjs`;
      files.push([name, withPorts(block.code)]);
      parts.push(`node ${name}`);
    }
  }
  return { script: `${parts.join('\n')}\n`, files };
}
