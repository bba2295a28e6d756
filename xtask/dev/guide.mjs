// What `cargo xtask dev` prints once the Worker answers: each line can be pasted into a shell as it stands.

/** `key` may be missing; `vars` is the path of `.dev.vars`. */
export function guide({ url, token, key, vars }) {
  const bearer = `-H 'Authorization: Bearer ${token}'`;
  const admin = `$(sed -n 's/^ADMIN_TOKEN=//p' ${shellWord(vars)} | tr -d '"')`;
  const sections = [
    `edgegate answers on ${url}`,
    `Demo token (read:posts write:posts, one hour):\n  ${token}`,
    ...(key === undefined ? [] : [`Demo API key (read:posts):\n  ${key}`]),
    `# an open route\ncurl -i ${url}/public/hello`,
    `# no credential: 401\ncurl -i ${url}/v1/posts`,
    `# the token\ncurl -i ${bearer} ${url}/v1/posts`,
    ...(key === undefined ? [] : [`# the API key\ncurl -i -H 'X-API-Key: ${key}' ${url}/v1/posts`]),
    `# a limit of 5 a minute: 200 five times, then 429\nfor i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{http_code}\\n' ${bearer} ${url}/v1/limited; done`,
    `# health\ncurl -i ${url}/auth/health`,
    `# list the API keys, as admin\ncurl -i -H "Authorization: Bearer ${admin}" ${url}/auth/admin/keys`,
    'Ctrl-C stops it. Requests and events follow.',
  ];
  return `\n${sections.join('\n\n')}\n`;
}

/** The text as one word of a shell command. */
export const shellWord = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
