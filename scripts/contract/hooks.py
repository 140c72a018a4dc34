# What the document says of this gateway beyond what a tool can know: an answer without the header `X-Task-UUID` is the
# gateway's own, so that the schema `ServerAnswer`, which takes anything, does not count for it; and the gateway's own
# 500 is wrong wherever it comes from.

import json

import jsonschema_rs
import schemathesis

OWN = "#/components/schemas/ServerAnswer"


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.check
def gateway_answers_are_whole(ctx, response, case):
    is_servers = "x-task-uuid" in {name.lower() for name in response.headers}
    if is_servers or not response.content:
        return None
    kind = (response.headers.get("content-type") or [""])[0].split(";")[0]
    if not kind.endswith("json"):
        return None
    value = json.loads(response.content)
    if isinstance(value, dict) and value.get("detail") == "Internal Server Error":
        raise AssertionError(f"the gateway itself answered {response.status_code}")
    document = case.operation.schema.raw_schema
    responses = case.operation.definition.raw["responses"]
    described = responses.get(str(response.status_code))
    media = ((described or {}).get("content") or {}).get(kind)
    options = (media or {}).get("schema", {}).get("anyOf", [])
    own = [each for each in options if each.get("$ref") != OWN]
    if len(own) == len(options):
        return None
    schema = {"anyOf": own, "components": document["components"]}
    errors = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)]
    assert not errors, f"no answer of the gateway: {errors[0]}"
    return None
