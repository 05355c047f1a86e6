"""Requests that fail: what is repeated, what is looked for first, and what is told of it. Without a server."""

import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException

from pipeline.store.client import server as client
from pipeline.store.client.failures import is_passing
from pipeline.store.client.server import ServerClient, retry
from pipeline.store.client.threads import in_threads, within
from pipeline.store.failures import reason
from pipeline.store.write import place_of


class Forgetful:
    """A server in memory that does what it is asked and loses each first answer to a request."""

    def __init__(self) -> None:
        self.runs, self.calls = [], Counter()

    def answer(self, name: str, result):
        self.calls[name] += 1
        if self.calls[name] % 2:
            raise MlflowException("no answer")
        return result

    def create_run(self, experiment_id, start_time, tags, run_name):
        info = SimpleNamespace(run_id=str(len(self.runs)), start_time=start_time, run_name=run_name, lifecycle_stage="active")
        self.runs.append(SimpleNamespace(info=info, data=SimpleNamespace(tags={**tags, "mlflow.runName": run_name})))
        return self.answer("create", self.runs[-1])

    def search_runs(self, *_, **__):
        return self.answer("search", [run for run in self.runs if run.info.lifecycle_stage == "active"])

    def delete_run(self, run_id):
        run = self.runs[int(run_id)]
        if run.info.lifecycle_stage != "active":
            raise RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "it must be active"})
        run.info.lifecycle_stage = "deleted"
        return self.answer("delete", None)

    def get_run(self, run_id):
        return self.runs[int(run_id)]


@pytest.fixture
def forgetful(monkeypatch) -> ServerClient:
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.001)
    made = ServerClient("http://127.0.0.1:9")
    made.client = Forgetful()
    return made


def test_a_run_whose_answer_was_lost_is_not_made_again(forgetful):
    made = forgetful.create_run("1", "a", {"trial.place": "3"})
    assert [run.info.run_id for run in forgetful.client.runs] == [made.info.run_id]


def test_a_run_like_it_of_someone_else_is_not_taken_for_it(forgetful):
    other = forgetful.create_run("1", "a", {"trial.place": "4"})
    made = forgetful.create_run("1", "a", {"trial.place": "3"})
    assert made.info.run_id != other.info.run_id
    assert made.data.tags["trial.place"] == "3"


def test_a_run_that_came_late_is_removed(forgetful):
    made = forgetful.create_run("1", "a", {})
    forgetful.client.create_run("1", made.info.start_time, {}, "a")
    forgetful.remove_doubles(made.info.run_id)
    assert [run.info.lifecycle_stage for run in forgetful.client.runs] == ["active", "deleted"]
    assert made is forgetful.client.runs[0]


def test_what_cannot_pass_is_not_tried_again(monkeypatch):
    calls = []

    def refuse():
        calls.append(1)
        raise RestException({"error_code": "PERMISSION_DENIED", "message": "no"})

    with pytest.raises(RestException):
        retry(refuse)
    assert len(calls) == 1


def test_between_two_tries_a_check_is_made():
    def stop():
        if calls:
            raise KeyboardInterrupt

    def fail():
        calls.append(1)
        raise MlflowException("no answer")

    calls = []
    with pytest.raises(KeyboardInterrupt):
        retry(fail, check=stop)
    assert len(calls) == 1


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        try:
            raise cause or error
        except Exception as first:
            if cause is None:
                raise
            raise error from first
    except Exception as found:
        return found


def of_request(cause: Exception) -> Exception:
    return raised(MlflowException("request failed"), cause)


@pytest.mark.parametrize(
    ("error", "words", "passes"),
    [
        (of_request(raised(requests.ConnectionError("y"), ConnectionRefusedError(111, "z"))), "Connection refused", True),
        (of_request(requests.Timeout("y")), "it does not answer in time", True),
        (of_request(requests.exceptions.RetryError("too many 503 error responses")), "it answers with 503", True),
        (of_request(requests.exceptions.ChunkedEncodingError("y")), "the connection was cut", True),
        (MlflowException("failed with error code 401 != 200. Response body: 'you'"), "MLFLOW_TRACKING_PASSWORD", False),
        (MlflowException("failed with error code 404 != 200. Response body: '<html>'"), "there is no MLflow server", False),
        (RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}), "no such run", False),
        (FileNotFoundError(2, "No such file", "a"), "No such file", False),
    ],
)  # fmt: skip
def test_what_failed_is_said_by_its_first_cause(error, words, passes):
    assert words in reason(error)
    assert is_passing(error) == passes


def test_threads_keep_the_order_and_raise_the_first_error():
    assert in_threads(lambda item: item * 2, range(50), 8) == list(range(0, 100, 2))
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 // (item - 7), range(50), 8)
    with pytest.raises(IndexError):
        in_threads([].pop, range(9), 3)


def test_what_gives_no_answer_is_not_waited_for():
    begun, free = time.monotonic(), threading.Event()
    with pytest.raises(TimeoutError):
        within(0.05, free.wait)
    assert time.monotonic() - begun < 1.0
    free.set()


@pytest.mark.parametrize(("tag", "place"), [("3", 3), ("", None), ("-1", None), ("1e3", None), ("²", None), ("9" * 40, None)])
def test_a_place_is_a_number_or_none(tag, place):
    assert place_of(SimpleNamespace(data=SimpleNamespace(tags={"trial.place": tag}))) == place
