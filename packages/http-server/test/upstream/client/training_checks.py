"""What a client does with trainings, whose results are documents on their runs."""

from cogstack_model_gateway_client import TaskFailedError

from check import check, contains, equal, raises

DOCUMENT = ["artifacts", "error", "metrics", "params", "run", "tags", "timing"]


def is_document(document, details):
    equal(sorted(document), DOCUMENT)
    equal(document["run"]["run_id"], details["tracking_id"])
    equal([document["run"]["status"], document["run"]["lifecycle_stage"]], ["FINISHED", "active"])
    equal(document["error"], None)
    contains(document["timing"], "duration_seconds")


@check
def train_supervised_ends_with_its_document(world):
    client = world.client
    details = client.train_supervised(
        world.exports[:2], epochs=2, lr_override=0.5, test_size=0.0, early_stopping_patience=3, log_frequency=2,
        description="Two exports é", tracking_id="replaced", model_name=world.pupil, return_result=False,
    )
    equal([details["status"], details["error_message"], details["type"]], ["succeeded", None, "train_supervised"])
    document = client.get_task_result(details["uuid"])
    is_document(document, details)
    equal(document["run"]["run_name"], details["uuid"])
    contains(document["metrics"], "f1")


@check
def train_unsupervised_ends_with_its_document(world):
    document = world.client.train_unsupervised(
        [world.texts, world.texts], epochs=1, test_size=0.2, log_frequency=1, description="Texts", model_name=world.pupil
    )
    equal(sorted(document), DOCUMENT)
    equal(document["run"]["status"], "FINISHED")


@check
def a_training_is_watched_after_a_submit_without_waiting(world):
    client = world.client
    task = client.train_supervised([world.exports[0]], test_size=0, model_name=world.pupil, wait_for_completion=False)
    equal(task["status"], "Task submitted successfully")
    details = client.wait_for_task(task["uuid"], raise_on_error=True)
    is_document(client.get_task_result(task["uuid"]), details)


@check
def a_submit_without_a_body_is_taken(world):
    client = world.client
    task = client.submit_task(
        world.pupil, task="train_unsupervised_with_hf_hub_dataset", params={"hf_dataset_repo_id": "imdb", "test_size": 0.2}
    )
    equal(sorted(task), ["status", "uuid"])
    # There is no hub here: what matters is that the server was asked, and said so itself.
    error = raises(TaskFailedError, client.wait_for_task, task["uuid"], raise_on_error=True)
    equal(type(error.error_message), str)
