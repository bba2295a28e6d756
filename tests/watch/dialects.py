"""Validates what the gate says in the words of others, by their own tools: the vectors that the Rust tests write and pin. Its arguments are
the files of events and of a webhook.

OCSF by ocsf-json-schema (the schema of the standard), OpenTelemetry by its own types in opentelemetry-proto. ECS has no validator in a
registry: the names of fields are held against those of the version below.
"""

import datetime
import json
import sys
from unittest import mock

from google.protobuf import json_format
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from standardwebhooks import webhooks
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

OCSF_VERSION = "1.8.0"

# https://www.elastic.co/guide/en/ecs/8.17/: the fields that are written.
ECS_FIELDS = {
    "@timestamp", "ecs.version", "event.id", "event.kind", "event.category", "event.type", "event.action", "event.outcome",
    "event.code", "event.reason", "event.module", "event.dataset", "user.hash", "user.name", "source.geo.country_iso_code",
    "source.as.number", "http.request.method", "http.response.status_code", "user_agent.name", "rule.name",
}
ECS_WORDS = {
    "event.kind": {"event", "alert"},
    "event.category": {"authentication", "iam", "intrusion_detection"},
    "event.type": {"start", "allowed", "denied", "info", "admin", "user", "creation", "change", "deletion"},
    "event.outcome": {"success", "failure"},
}

WEBHOOKS = {"alert.firing", "alert.resolved", "auth.admitted", "auth.refused", "auth.shadowed", "admin", "account", "audit.checkpoint"}


def fields(value, path=""):
    if isinstance(value, dict) and path != "labels":
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}".lstrip("."))
    else:
        yield path, value


def webhook_faults(path):
    """The official verifier takes each signature at its time, and no other body."""
    with open(path, encoding="utf-8") as file:
        vector = json.load(file)
    kinds = {json.loads(message["body"])["type"] for message in vector["messages"]}
    if kinds != WEBHOOKS:
        yield f"webhook: {kinds ^ WEBHOOKS} is not among them, or new"
    for message in vector["messages"]:
        yield from message_faults(vector["secret"], message)


def message_faults(secret, message):
    headers, body = message["headers"], message["body"]
    sent = datetime.datetime.fromtimestamp(int(headers["webhook-timestamp"]), datetime.timezone.utc)

    class Then(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return sent.astimezone(tz)

    with mock.patch.object(webhooks, "datetime", Then):
        verifier = webhooks.Webhook(secret)
        if verifier.verify(body, headers) != json.loads(body):
            yield "webhook: another body"
        try:
            verifier.verify(body + " ", headers)
            yield "webhook: the verifier is blind"
        except webhooks.WebhookVerificationError:
            pass


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    faults = []
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    for event in vectors["ocsf"]:
        schema = schemas.get_class_schema(schemas.lookup_class_name_from_uid(event["class_uid"]))
        for fault in Draft202012Validator(schema).iter_errors(event):
            faults.append(f"OCSF {event['class_uid']} {fault.json_path}: {fault.message[:300]}")
        # A validator that finds nothing in what is wrong proves nothing.
        for broken in ({**event, "severity_id": 77}, {**event, "no_such": 1}, {k: v for k, v in event.items() if k != "metadata"}):
            if not list(Draft202012Validator(schema).iter_errors(broken)):
                faults.append(f"OCSF {event['class_uid']}: the validator is blind")
    for event in vectors["ecs"]:
        for path, value in fields(event):
            if path != "labels" and path not in ECS_FIELDS:
                faults.append(f"ECS: no field {path}")
            for word in value if isinstance(value, list) else [value]:
                if path in ECS_WORDS and word not in ECS_WORDS[path]:
                    faults.append(f"ECS {path}: {word}")
    request = json_format.ParseDict(vectors["otlp"], ExportLogsServiceRequest(), ignore_unknown_fields=False)
    records = request.resource_logs[0].scope_logs[0].log_records
    if len(records) != len(vectors["events"]):
        faults.append(f"OTLP: {len(records)} records")
    for record, event in zip(records, vectors["events"]):
        if record.time_unix_nano != event["at"] * 1_000_000 or not record.event_name.startswith("edgegate."):
            faults.append(f"OTLP: {record}")
    faults.extend(webhook_faults(sys.argv[2]))
    print(json.dumps({"events": len(vectors["events"]), "faults": faults}))


main()
