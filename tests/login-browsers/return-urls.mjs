// Return URLs that mislead: each trick that has sent browsers elsewhere, with each spelling of a host. The list is the same every time.

/** What comes before the host. Each has been a fault of somebody, or is one that browsers read more kindly than parsers. */
const BEFORE = [
  '//', '///', '////', '/\\', '\\/', '\\\\', '\\', '/\\/', '//\\', '/\t/', '/\n/', '/\r/', '\t//', '\n//', ' //', '\u00a0//', '\u0000//', '/\u0000/', '/\u0009\\',
  '/./', '/.//', '/..//', '/../', '/a/../..//', '/%2e//', '/%2e%2e//', '/%2E%2e/\\', '/%2f', '/%2f/', '/%2F%2f', '%2f%2f', '/%5c', '/%5C/', '/%09/', '/%0a/', '/%0d%0a/',
  '/%0d%0aLocation:%20https://', '/%00/', '/;@', '/@', '/;//', '/.;/', '/?//', '/#//', '/private//', '/private/..//', '/private/%2e%2e//', '/private/\\',
  'https:', 'https:/', 'https://', 'https:///', 'https:\\\\', 'https:\\', 'https:/\\', 'https://\\', 'HTTPS://', 'hTTps:', 'http://', 'http:', 'ht\ttps://', 'https\n://', ' https://', '\u0001https://',
  'https://app.example.com@', 'https://app.example.com:443@', 'https://app.example.com%40', 'https://app.example.com\\@', 'https://app.example.com#@', 'https://app.example.com?@',
  'https://app.example.com.', 'https://app.example.com%2e', 'https://app.example.com%00.', 'https://app.example.com\t.', 'https://app.example.com%09.', 'https://app.example.com\\.', '//app.example.com@',
  'https://www.example.com@', 'https://www.example.com.', 'https://www.example.com\\.', 'https://www.example.com:443@', 'https://www.example.com:80.', 'https://www.example.com//', 'https://www.example.com/\\', 'https://www.example.com/..//',
  'https://www.example.com%2f@', 'https://www.example.com%5c@', 'https://www.example.com-', 'https://www.example.comx.', 'https:www.example.com@', '//www.example.com@', '//www.example.com.',
  '\u2215\u2215', '\uff0f\uff0f', '/\uff0f', '\u2044\u2044', '/\u2028/', '/\u200b/', '\ufeff//', 'ftp://', 'ws://', 'view-source:https://', 'blob:https://', 'filesystem:https://',
];

const HOSTS = ['evil.example', 'EVIL.example', 'evil.example:443', 'me@evil.example', 'evil%2eexample', 'evil\u3002example', '\uff45vil.example', 'evil.example.', 'evil.example%00', '\u0065\u0301vil.example'];

const AFTER = ['', '/', '/..', '?next=/private/1', '#/private/1', '\\', '/%2e%2e/private/1', '//'];

/** Those that are no host behind something. */
const WHOLE = [
  '', '.', '..', '?', '#', '/auth/login', '/auth/logout', '/AUTH/login', '/auth%2flogin', '/auth/login/op?return_to=//evil.example', '/auth/callback/op', '/%61uth/login',
  'javascript:location="https://evil.example"', 'JavaScript:location="https://evil.example"', 'java\nscript:location="https://evil.example"', ' javascript:location="https://evil.example"', '\u0001javascript:location="https://evil.example"',
  'javascript://app.example.com/%0alocation="https://evil.example"', 'data:text/html,<script>location="https://evil.example"</script>', 'vbscript:x', 'about:blank', 'file:///etc/passwd',
  '//2130706433/', '//127.1/', 'https://0x7f000001/', '//[::1]/', '//[::ffff:127.0.0.1]/', 'https://[evil.example]/', '//xn--vil-9ma.example/', 'https://app.example.com:8443/', 'http://app.example.com/', 'http://www.example.com/',
  'https://WWW.example.com/', 'https://www.example.com:443/', 'https://www.example.com:444/', 'https://example.com/', 'https://evil.www.example.com/',
];

/** At least 1,000, each once. Every trick is there with several hosts and ends. */
export function returnUrls() {
  const urls = new Set(WHOLE);
  BEFORE.forEach((before, index) => {
    for (let n = 0; n < 10; n += 1) urls.add(`${before}${HOSTS[(index + n) % HOSTS.length]}${AFTER[(index + 3 * n) % AFTER.length]}`);
  });
  return [...urls];
}

/** Those that may be returned to, so that a gate that sends everybody to its start page does not pass. */
export const GOOD = ['/private/1', '/private/a/b?q=1&r=//x', '/private/1?next=https://evil.example', 'https://www.example.com', 'https://www.example.com/a?b=c'];
