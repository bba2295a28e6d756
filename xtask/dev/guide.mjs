// What `cargo xtask dev` prints once the Worker answers. Each line can be pasted into a shell as it is.

/** `key` may be missing. With `login` there is a provider beside the gate. `vars` is the path of `.dev.vars`, `jar` that of a file for cookies. */
export function guide({ url, token, key, vars, jar, login = false }) {
  const isHttps = url.startsWith('https:');
  // The certificate is wrangler's own, which nobody else knows.
  const curl = isHttps ? 'curl -k' : 'curl';
  const browsers = isHttps
    ? 'A browser asks once whether it may trust the certificate'
    : 'Chromium and Firefox keep them on 127.0.0.1. Safari and older ones do not over http: cargo xtask dev --https';
  const bearer = `-H 'Authorization: Bearer ${token}'`;
  const secret = (name) => `$(sed -n 's/^${name}=//p' ${shellWord(vars)} | tr -d '"')`;
  const admin = secret('ADMIN_TOKEN');
  const json = "-H 'Content-Type: application/json'";
  // A page of this origin asks like this.
  const page = `-b ${shellWord(jar)} -c ${shellWord(jar)} -H 'Sec-Fetch-Site: same-origin'`;
  const wanted = `'{"subject":"demo-user","scopes":["read:posts"],"ticket":true}'`;
  const ticket = `${curl} -s -H "Authorization: Bearer ${admin}" ${json} -d ${wanted} ${url}/auth/admin/sessions | sed 's/,"expires_in".*/}/'`;
  const sections = [
    `edgegate answers on ${url}`,
    ...(login ? [`Log in with a browser, by any name:\n  ${url}/auth/login?return_to=/v1/posts`] : []),
    `Demo token (read:posts write:posts, one hour):\n  ${token}`,
    ...(key === undefined ? [] : [`Demo API key (read:posts):\n  ${key}`]),
    `# an open route\n${curl} -i ${url}/public/hello`,
    `# no credential: 401\n${curl} -i ${url}/v1/posts`,
    `# the token\n${curl} -i ${bearer} ${url}/v1/posts`,
    ...(key === undefined ? [] : [`# the API key\n${curl} -i -H 'X-API-Key: ${key}' ${url}/v1/posts`]),
    `# a limit of 5 a minute: 200 five times, then 429\nfor i in 1 2 3 4 5 6 7; do ${curl} -s -o /dev/null -w '%{http_code}\\n' ${bearer} ${url}/v1/limited; done`,
    `# health\n${curl} -i ${url}/auth/health`,
    `# list the API keys, as admin\n${curl} -i -H "Authorization: Bearer ${admin}" ${url}/auth/admin/keys`,
    `# log in: a back end asks for a ticket, a page gives it back for cookies\n${ticket} | ${curl} -i ${page} ${json} -d @- ${url}/auth/session/start`,
    `# the cookies; near their end the answer brings new ones. ${browsers}\n${curl} -i ${page} ${url}/v1/posts`,
    `# refresh by hand, then log out\n${curl} -i ${page} -X POST ${url}/auth/refresh\n${curl} -i ${page} -X POST ${url}/auth/logout`,
    `# a token for a machine\n${curl} -i -u "batch:${secret('BATCH_CLIENT_SECRET')}" -d grant_type=client_credentials ${url}/auth/token`,
    'Ctrl-C stops it. Requests and events follow.',
  ];
  return `\n${sections.join('\n\n')}\n`;
}

/** The text as one word of a shell command. */
export const shellWord = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
