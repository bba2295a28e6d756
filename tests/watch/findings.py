"""Validates what `edgegate doctor` finds, as OCSF and as JUnit's XML. Its arguments are the files of both."""

import json
import sys
import xml.etree.ElementTree as xml

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema


def ocsf_faults(findings):
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    schema = schemas.get_class_schema(schemas.lookup_class_name_from_uid(2003))
    for finding in findings:
        for fault in Draft202012Validator(schema).iter_errors(finding):
            yield f"OCSF {finding['finding_info']['uid']} {fault.json_path}: {fault.message[:300]}"
    broken = {**findings[0], "compliance": {**findings[0]["compliance"], "status_id": 77}}
    if not list(Draft202012Validator(schema).iter_errors(broken)):
        yield "OCSF: the validator is blind"


def junit(path):
    """Suites with their cases, and what stands in each."""
    root = xml.parse(path).getroot()
    suites = [
        {
            "name": suite.get("name"),
            "counts": [int(suite.get(name)) for name in ("tests", "failures", "skipped")],
            "cases": [{"name": case.get("name"), "has": [child.tag for child in case], "text": "".join(case.itertext()).strip()} for case in suite],
        }
        for suite in root
    ]
    return {"tag": root.tag, "counts": [int(root.get(name)) for name in ("tests", "failures", "skipped")], "suites": suites}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        findings = json.load(file)
    print(json.dumps({"faults": list(ocsf_faults(findings)), "junit": junit(sys.argv[2])}))


main()
