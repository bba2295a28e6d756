// Findings as SARIF 2.1.0, which code scanning reads.

import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { LINES } from './checklist.js';

/** SARIF 2.1.0, 3.27.9 and 3.27.10: a level other than `none` belongs to what has failed. */
const AS = {
  FAIL: { kind: 'fail', level: 'error' },
  WARN: { kind: 'fail', level: 'warning' },
  UNKNOWN: { kind: 'review', level: 'none' },
  ATTESTED: { kind: 'informational', level: 'none' },
  PASS: { kind: 'pass', level: 'none' },
  SKIP: { kind: 'notApplicable', level: 'none' },
};

export function toSarif({ findings, policy }, version) {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'edgegate doctor', version, rules: LINES.map(rule) } },
      results: findings.map((one) => ({
        ruleId: one.id,
        ruleIndex: LINES.findIndex(({ id }) => id === one.id),
        ...AS[one.state],
        message: { text: [one.line, one.path, one.evidence, one.fix && `Fix: ${one.fix}`].filter(Boolean).join('. ') },
        ...(policy && { locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(policy) }, region: { startLine: 1 } } }] }),
        properties: { state: one.state, proof: one.kind },
      })),
    }],
  };
}

const rule = ({ id, section, line }) => ({ id, name: id, shortDescription: { text: line }, properties: { section } });

/** Below the current folder as a relative reference, else the whole. */
function uriOf(file) {
  const relative = path.relative(process.cwd(), path.resolve(file));
  return relative.startsWith('..') || path.isAbsolute(relative) ? pathToFileURL(path.resolve(file)).href : relative.split(path.sep).map(encodeURIComponent).join('/');
}
