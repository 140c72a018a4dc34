"""What a client does with tasks and their results."""

import json
import threading
import time

import httpx
import tenacity
from cogstack_model_gateway_client import TaskFailedError
from cogstack_model_gateway_client.client import GatewayClient, GatewayClientSync

from check import check, contains, equal, raises, refused
from recorder import Recorder

NOTE = "\U0001f600 John Smith was seen in Berlin on 12 March 2024."


def labels(result):
    return [annotation["label_id"] for annotation in result["annotations"]]


@check
def options_of_the_client_are_kept(world):
    client = world.client
    equal(client.base_url, world.url)
    equal(client.default_model, world.model)
    equal(client.request_timeout, 60.0)
    equal(client.polling_interval, 0.5)
    client.polling_interval = 9
    equal(client.polling_interval, 3.0)
    client.polling_interval = 0.1
    client.polling_timeout = 30.0
    equal(client.polling_timeout, 30.0)
    client.request_timeout = 50.0
    client.default_model = world.model
    client.base_url = world.url


@check
def a_client_outside_of_its_context_is_refused_by_itself(world):
    if world.kind is GatewayClientSync:
        return
    Recorder.used.add("require_client")
    stranger = GatewayClient(world.url)
    contains(str(raises(RuntimeError, world.client.loop.run_until_complete, stranger.get_models())), "context manager")


@check
def process_annotates(world):
    result = world.client.process(NOTE)
    equal(result["text"], NOTE)
    equal(labels(result), ["PERSON", "PLACE", "DATE"])
    equal(NOTE[result["annotations"][0]["start"] : result["annotations"][0]["end"]], "John Smith")


@check
def process_without_waiting_gives_a_task(world):
    client = world.client
    task = client.process(NOTE, model_name=world.model, wait_for_completion=False)
    equal(sorted(task), ["status", "uuid"])
    equal(task["status"], "Task submitted successfully")
    short = client.get_task(task["uuid"], detail=False)
    equal(sorted(short), ["status", "uuid"])
    contains(["pending", "scheduled", "running", "succeeded"], short["status"])
    ended = client.wait_for_task(task["uuid"], raise_on_error=True)
    equal(ended, client.get_task(task["uuid"]))
    equal(sorted(ended), sorted(["uuid", "status", "model", "type", "source", "created_at", "started_at", "finished_at",
                                 "result", "error_message", "tracking_id"]))
    equal([ended["status"], ended["model"], ended["type"]], ["succeeded", world.model, "process"])
    equal([ended["error_message"], ended["tracking_id"]], [None, None])
    contains(ended["source"], "ua=python-httpx/")
    equal(ended["result"], f"{task['uuid']}_results.json")
    raw = client.get_task_result(task["uuid"], parse=False)
    equal(type(raw), bytes)
    equal(json.loads(raw), client.get_task_result(task["uuid"]))


@check
def waiting_without_the_result_gives_the_details(world):
    details = world.client.process("Nothing.", return_result=False)
    equal([details["status"], details["type"]], ["succeeded", "process"])


@check
def process_bulk_annotates_each(world):
    results = world.client.process_bulk(["Né à Berlin.", NOTE, ""])
    equal([labels(each) for each in results], [["PLACE"], ["PERSON", "PLACE", "DATE"], []])
    equal(results[0]["text"], "Né à Berlin.")


@check
def redact_gets_repeated_keys_and_options(world):
    client = world.client
    kept = client.redact(NOTE, concepts_to_keep=["PLACE", "DATE"], warn_on_no_redaction=True, mask="***", hash=False)
    equal(kept, "\U0001f600 *** was seen in Berlin on 12 March 2024.")
    equal(client.redact(NOTE, concepts_to_keep=("DATE",)), "\U0001f600 [Person] was seen in [Place] on 12 March 2024.")


@check
def results_of_other_kinds_are_parsed(world):
    lines = "\n".join(json.dumps({"name": name, "text": NOTE}) for name in ("a", "b"))
    headers = {"Content-Type": "application/x-ndjson"}
    result = world.client.submit_task(task="process_jsonl", data=lines, headers=headers, wait_for_completion=True)
    equal([each["doc_name"] for each in result], ["a"] * 3 + ["b"] * 3)
    nothing = json.dumps({"text": "Nothing."})
    result = world.client.submit_task(task="process_jsonl", data=nothing, headers=headers, wait_for_completion=True)
    equal(result, b"")


@check
def files_are_submitted_by_name(world):
    with open(world.exports[0], "rb") as export:
        files = [("trainer_export", ("Ex pört.json", export, "application/json"))]
        result = world.client.submit_task(task="sanity-check", files=files, wait_for_completion=True)
    contains(result, "concept,name,precision,recall,f1\n")


@check
def a_failed_task_is_an_error_with_its_message(world):
    client = world.client
    wrong = dict(task="redact_with_encryption", json={"text": NOTE, "public_key_pem": "no key"})
    error = raises(TaskFailedError, client.submit_task, **wrong, wait_for_completion=True)
    equal(error.task_info["status"], "failed")
    equal(error.error_message, error.task_info["error_message"])
    equal(error.task_uuid, error.task_info["uuid"])
    equal(type(error.error_message), str)
    contains(str(error), error.error_message)
    details = client.submit_task(**wrong, wait_for_completion=True, return_result=False)
    equal(details["status"], "failed")
    again = raises(TaskFailedError, client.wait_for_task, details["uuid"], raise_on_error=True)
    equal(again.error_message, details["error_message"])


@check
def waiting_ends_at_the_polling_timeout(world):
    client = world.client
    client.polling_timeout = 0.2
    try:
        raises(TimeoutError, client.submit_task, world.hanging, task="process", data="hang " + world.name,
               headers={"Content-Type": "text/plain"}, wait_for_completion=True)
    finally:
        client.polling_timeout = 30.0


@check
def a_request_that_takes_too_long_is_tried_three_times(world):
    error = world.slow["of a silent model"]()
    equal(type(error), tenacity.RetryError)
    equal(type(error.last_attempt.exception()), httpx.ReadTimeout)
    equal(error.last_attempt.attempt_number, 3)


@check
def a_gateway_that_is_gone_is_not_healthy(world):
    equal(world.slow["of nobody"](), False)


def start_slow(world):
    """What takes seconds because the client waits between its tries: it runs beside the other checks."""

    def begin(call):
        found = []

        def run():
            try:
                found.append(call())
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def end():
            thread.join()
            return found[0]

        return end

    # Each has a loop of its own, whatever the class.
    silent = GatewayClientSync(world.url, request_timeout=0.3)
    nobody = GatewayClientSync(world.nowhere)
    world.slow = {
        "of a silent model": begin(lambda: silent.get_model_info(world.hanging)),
        "of nobody": begin(nobody.is_healthy),
    }


@check
def many_calls_one_after_another_and_at_once(world):
    texts = [f"Seen in Berlin {n} times." for n in range(12)]
    tasks = world.client.at_once([("process", [text], {"wait_for_completion": False}) for text in texts])
    equal(len({task["uuid"] for task in tasks}), len(texts))
    for text, task in zip(texts, tasks):
        while world.client.get_task(task["uuid"], detail=False)["status"] != "succeeded":
            time.sleep(0.02)
        equal(world.client.get_task_result(task["uuid"])["text"], text)


@check
def wrong_calls_are_http_errors(world):
    client = world.client
    text = {"Content-Type": "text/plain"}
    contains(refused(404, client.submit_task, task="dream", data="a", headers=text), "Task 'dream' not found. Supported tasks are: info, process")
    equal(refused(400, client.submit_task, task="process_bulk", data="a", headers={"Content-Type": "text/csv"}), "Unsupported content type: expected application/json")
    contains(refused(503, client.process, "a", model_name="nobody").lower(), "is not available")
    contains(refused(503, client.get_model_info, "nobody").lower(), "is not available")
    equal(refused(404, client.get_task, "nobody"), "Task 'nobody' not found")
    equal(refused(404, client.get_task_result, "nobody"), "Task 'nobody' not found")
    contains(refused(404, client.get_model, "nobody"), "Model 'nobody' not found")
    bare = Recorder(world.kind, world.url)
    for method in ("process", "get_model", "get_model_info", "deploy_model", "remove_model"):
        contains(str(raises(ValueError, getattr(bare, method), *(["a"] if method == "process" else []))), "default model")
    bare.close()
