// Findings as Compliance Findings (2003) of the Open Cybersecurity Schema Framework, which a SIEM reads.

const OCSF_VERSION = '1.8.0';
const CLASS = 2003;
const CREATE = 1;

/** `compliance.status_id`: 0 unknown, 1 pass, 2 warning, 3 fail, 99 another. Severity: 1 informational, 3 medium, 4 high. */
const AS = {
  FAIL: [3, 4],
  WARN: [2, 3],
  UNKNOWN: [0, 1],
  ATTESTED: [99, 1],
  PASS: [1, 1],
  SKIP: [99, 1],
};

export function toOcsf({ at, policy, gate, findings }, version) {
  return findings.map(({ id, section, line, state, kind, path, evidence, fix }) => {
    const [status, severity] = AS[state];
    return {
      category_uid: Math.floor(CLASS / 1000),
      class_uid: CLASS,
      activity_id: CREATE,
      type_uid: CLASS * 100 + CREATE,
      severity_id: severity,
      time: Date.parse(at),
      metadata: { version: OCSF_VERSION, product: { name: 'edgegate doctor', vendor_name: 'edgegate', version } },
      finding_info: { uid: id, title: line, types: [section], ...(evidence && { desc: [path, evidence].filter(Boolean).join(': ') }) },
      compliance: { control: id, requirements: [line], standards: ['edgegate production checklist'], status_id: status, status: state, status_detail: `by ${kind}` },
      resources: [{ type: 'edgegate', name: gate ?? policy ?? 'edgegate' }],
      ...(fix && { remediation: { desc: fix } }),
    };
  });
}
