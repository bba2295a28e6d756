// Findings as JUnit's XML, which CI shows as tests: a suite for each section of the checklist, a case for each line.

/** In the form that Jenkins, GitLab and GitHub's reporters read: a failure is one, what is not known or not asked is skipped. */
export function toJunit({ at, lines, findings }) {
  const sections = [...new Set(lines.map(({ section }) => section))];
  const suites = sections.map((section) => suite(section, lines.filter((line) => line.section === section), findings, at));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="edgegate doctor" ${counts(lines)}>\n${suites.join('')}</testsuites>`;
}

function suite(section, lines, findings, at) {
  const cases = lines.map((line) => testcase(line, findings.filter(({ id }) => id === line.id)));
  // Without a zone, as the schema of it has times.
  const timestamp = at.slice(0, 19);
  return `  <testsuite name=${attribute(section)} ${counts(lines)} errors="0" time="0" timestamp=${attribute(timestamp)}>\n${cases.join('')}  </testsuite>\n`;
}

const isSkipped = ({ state }) => ['SKIP', 'UNKNOWN'].includes(state);

const counts = (lines) => `tests="${lines.length}" failures="${lines.filter(({ state }) => state === 'FAIL').length}" skipped="${lines.filter(isSkipped).length}"`;

function testcase({ id, section, line, state }, findings) {
  const said = findings.map((one) => `${one.state}, ${one.kind}: ${[one.path, one.evidence].filter(Boolean).join(': ')}${one.fix ? ` (fix: ${one.fix})` : ''}`);
  const first = findings.find((one) => one.state === state)?.evidence ?? '';
  const failed = state === 'FAIL' ? `      <failure message=${attribute(first)} type="FAIL">${text(said.join('\n'))}</failure>\n` : '';
  const skipped = isSkipped({ state }) ? `      <skipped message=${attribute(`${state}: ${first}`)}/>\n` : '';
  const out = state === 'FAIL' || said.length === 0 ? '' : `      <system-out>${text(said.join('\n'))}</system-out>\n`;
  return `    <testcase name=${attribute(line)} classname=${attribute(`${section}.${id}`)} time="0">\n${failed}${skipped}${out}    </testcase>\n`;
}

/** Characters that XML 1.0 cannot hold become one that it can. */
const text = (value) => String(value).replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
  .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const attribute = (value) => `"${text(value).replaceAll('"', '&quot;').replace(/[\t\n\r]/g, ' ')}"`;
