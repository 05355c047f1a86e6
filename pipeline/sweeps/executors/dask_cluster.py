"""Chunks trained by the workers of a Dask cluster: an existing one, or processes of this machine.

A chunk is one task of Dask's, and a pure function: a worker that dies costs the time of its chunks and nothing else. Dask
places chunks, moves them when a worker dies or joins, and gathers the results. It cannot keep out a worker with other sources:
if the setup of a plugin fails, the worker works on; if it cannot import the plugin, it does not start; and the plugin outlives
this process. So each chunk checks its worker.
"""

import asyncio
import hashlib
import logging
import pickle
import platform
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from multiprocessing import active_children, resource_tracker
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Progress
from pipeline.errors import ConfigError
from pipeline.results.rows import RunRows
from pipeline.sweeps.chunks import NO_PATTERNS, Patterns, Work
from pipeline.trials.settings import ExecutorChoice

try:
    import dask
    import distributed
    from distributed.versions import VersionMismatchWarning
except ModuleNotFoundError:
    raise ConfigError("executor", "dask", "needs Dask: pip install -e '.[dask]'") from None

CHUNKS_PER_THREAD = 2  # in flight: one that is trained and one that waits for the worker
SECONDS_TO_ANSWER = 10.0
SECONDS_FOR_WORKERS = 30.0
SECONDS_TO_START = 120.0
SECONDS_TO_CLOSE = 0.5
SECONDS_BETWEEN_LOOKS = 0.005
SECONDS_BETWEEN_COUNTS = 1.0  # of the workers
RETRIES = 8  # of a chunk over which workers die, when Dask has given up on it
CONFIGURATION = {
    "distributed.admin.large-graph-warning-threshold": "1TB",  # a chunk may be large
    "distributed.deploy.lost-worker-timeout": "1h",  # a worker of this machine is started again, however long it takes
}


class WrongWorkerError(Exception):
    """A worker runs something else than the process that gives it work."""


class StoppedError(Exception):
    """Nobody waits for this chunk any more."""


def sources() -> str:
    """SHA-256 of the project's sources, in short."""
    digest, folder = hashlib.sha256(), Path(__file__).parents[2]
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\n{file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


# Taken when a process imports this, so that a worker answers with what it runs, and not with what has changed since.
IDENTITY = {
    "Python": ".".join(platform.python_version_tuple()[:2]),
    "NumPy": np.__version__,
    "Dask": distributed.__version__,
    "sources of the project": sources(),
}


def differences(expected: dict[str, str]) -> str:
    """In what this process differs from the expected identity; empty if in nothing."""
    return ", ".join(f"{name} {IDENTITY.get(name)}, not {it}" for name, it in expected.items() if IDENTITY.get(name) != it)


def patterns(inputs: Array, targets: Array) -> Patterns:
    """The patterns that chunks share: a task, since scattered data is gone with the only worker that has it."""
    return inputs, targets


def train_chunk(expected: dict[str, str], pickled: bytes, shared: Patterns) -> tuple[pa.Table, int]:
    """On a worker, by one thread: the results of a chunk and the number of epochs. Raises StoppedError if it is cancelled."""
    worker = distributed.get_worker()
    if different := differences(expected):
        raise WrongWorkerError(f"the worker {worker.address} has {different}")
    key, tasks, trained = worker.get_current_task(), worker.state.tasks, 0

    def count(runs: int, epochs: int) -> None:
        nonlocal trained
        trained += epochs
        task = tasks.get(key)
        if task is None or task.state == "cancelled":
            raise StoppedError

    work: Work = pickle.loads(pickled)
    chunk = work.with_patterns(shared)
    return chunk.rows(chunk.train(count, threads=1)).table, trained


class Cluster:
    """Trains on Dask's workers. Raises ConfigError where there are none, or where one runs something else."""

    def __init__(self, choice: ExecutorChoice, interrupts: Interrupts) -> None:
        self.choice, self.interrupts = choice, interrupts
        self.key, self.value = ("executor.address", choice.address) if choice.address else ("executor", "dask")
        self.in_flight: dict[Any, tuple[int, str]] = {}  # chunks as Dask's futures: their numbers of trials, their worker
        self.retries: Counter[Any] = Counter()
        self.shared: dict[str, Any] = {}
        self.threads: dict[str, int] = {}
        self.counted = 0.0
        self.local: Any = None
        self.client: Any = None
        logging.getLogger("distributed").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", VersionMismatchWarning)  # said in one line by `_check`
        dask.config.set(CONFIGURATION)
        try:
            self._connect()
            self._wait_for_workers()
            self._check()
        except BaseException:
            self.close()
            raise

    def _refusal(self, reason: str) -> ConfigError:
        return ConfigError(self.key, self.value, reason)

    def _lost(self) -> ConfigError:
        return self._refusal("the scheduler is gone; what is trained is kept, and the same command resumes from there")

    def _connect(self) -> None:
        if self.choice.address is None:
            self.folder = tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True)
            with self.interrupts.deferred():
                self.local = start_local(self.folder.name)
                self.client = distributed.Client(self.local, set_as_default=False)
                self.local.scale(self.choice.workers)
            self.interrupts.raise_if_requested()
            return
        try:
            asyncio.run(answer(self.choice.address))
            self.client = distributed.Client(self.choice.address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
        except Exception as error:  # whatever goes wrong when something else is there
            reason = str(error).partition("\n")[0] or "nothing came"
            raise self._refusal(f"no Dask scheduler answers there ({reason})") from None

    def _wait_for_workers(self) -> None:
        """Waits for one worker; on this machine, for all."""
        number, seconds = 1, SECONDS_FOR_WORKERS
        reason = f"has no workers; start one with: .venv/bin/dask worker {self.value}"
        if self.local:
            number, seconds = self.choice.workers, SECONDS_TO_START
            reason = f"its workers on this machine do not start within {seconds:.0f} s"
        try:
            if not self.local and not self.client.nthreads():
                print(f"waiting for workers at {self.value}", file=sys.stderr, flush=True)
            self.client.wait_for_workers(number, seconds)
        except TimeoutError:
            raise self._refusal(reason) from None
        except (OSError, RuntimeError):
            raise self._lost() from None

    def _check(self) -> None:
        """Raises ConfigError if a worker runs something else."""
        for address, answer in sorted(self.client.run(differences, IDENTITY, on_error="return").items()):
            if isinstance(answer, Exception) and not isinstance(answer, OSError):  # which means that the worker has just gone
                raise self._refusal(f"the worker {address} cannot import the project ({type(answer).__name__}: {answer})")
            if isinstance(answer, str) and answer:
                raise self._refusal(f"the worker {address} has {answer}")
        try:
            self.client.run_on_scheduler(sources)
        except (ImportError, AttributeError) as error:
            raise self._refusal(f"the scheduler cannot import the project ({error})") from None

    def train(self, chunks: Iterable[Work], progress: Progress) -> Iterator[RunRows]:
        """The results of the chunks as they come."""
        self.results = distributed.as_completed(loop=self.client.loop, with_results=True, raise_errors=False)
        for chunk in chunks:
            while (worker := self._free_worker()) is None:
                yield from self._next(progress)
            self._send(chunk, worker)
        while self.in_flight:
            yield from self._next(progress)

    def _free_worker(self) -> str | None:
        """The worker with the least to do for its threads, counted at most a second ago, if it may have more.

        Left to itself, Dask takes any number of chunks, and gives the first ones to the worker that has the patterns.
        """
        if time.monotonic() - self.counted > SECONDS_BETWEEN_COUNTS:
            try:
                self.threads = self.client.nthreads()
            except (OSError, RuntimeError):
                raise self._lost() from None
            self.counted = time.monotonic()
        busy = Counter(worker for _, worker in self.in_flight.values())
        worker = min(self.threads, key=lambda address: busy[address] / self.threads[address], default=None)
        return worker if worker and busy[worker] < CHUNKS_PER_THREAD * self.threads[worker] else None

    def _send(self, chunk: Work, worker: str) -> None:
        pickled = pickle.dumps(chunk.with_patterns(NO_PATTERNS))
        with self.interrupts.deferred():
            shared = self.client.submit(patterns, *chunk.patterns)
            self.shared[shared.key] = shared  # Dask forgets what nobody holds
            where = {"workers": [worker], "allow_other_workers": True}
            future = self.client.submit(train_chunk, IDENTITY, pickled, shared, pure=False, **where)
            self.in_flight[future] = len(chunk.indices), worker
            self.results.add(future)

    def _next(self, progress: Progress) -> Iterator[RunRows]:
        """The result of one chunk, if one ends within a moment."""
        self.interrupts.raise_if_requested()
        if not self.results.has_ready():
            time.sleep(SECONDS_BETWEEN_LOOKS)  # `next` would wait for a result however many workers join
            return
        future, result = self.results.next()
        # A result is (table, epochs), (type, error, traceback), or the error if the connection is lost.
        error = result if isinstance(result, CancelledError) else result[1]
        if isinstance(error, distributed.KilledWorker) and self.retries[future] < RETRIES:
            self.retries[future] += 1
            future.retry()  # `retries` of `submit` does not count workers that die
            self.results.add(future)
            return
        trials, _ = self.in_flight.pop(future)
        if isinstance(error, BaseException):
            raise self._failure(error, trials) from None
        progress(result[0].num_rows, result[1])
        yield RunRows(result[0])

    def _failure(self, error: BaseException, trials: int) -> BaseException:
        """What to raise for a chunk that failed."""
        if isinstance(error, WrongWorkerError):
            return self._refusal(str(error))
        if isinstance(error, CancelledError):
            return self._lost()
        if isinstance(error, distributed.KilledWorker):
            again = f"workers died again and again over a chunk of {trials:,} trials"
            return self._refusal(f"{again}; is there memory enough? see executor.chunk")
        self._check()  # a worker without the project fails in its own ways
        return error

    def close(self) -> None:
        """Cancels what is in flight and lets the cluster go; one of this machine is killed."""
        with self.interrupts.deferred():
            self.in_flight.clear()
            self.shared.clear()
            if self.client:
                self.client.close(timeout=SECONDS_TO_CLOSE)
            if self.local:
                stop_local(self.local)
                self.folder.cleanup()


async def answer(address: str) -> None:
    """Returns if there is a scheduler. A Client waits forever for one that is silent, whatever its timeout."""
    arguments = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, connection_args=arguments) as there:
        await asyncio.wait_for(there.identity(), SECONDS_TO_ANSWER)


def start_local(folder: str) -> Any:
    """A cluster on this machine, as yet without workers.

    Ctrl-C in a terminal reaches all its processes; the workers do not hear it, since a process inherits the signals that are
    blocked in the thread that starts it.
    """
    resource_tracker.ensure_running()  # starting that later would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return distributed.LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it listens all the same: not where others do
            memory_limit=None,
            local_directory=folder,
            silence_logs=logging.ERROR,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_local(cluster: Any) -> None:
    """Kills the workers, which are to keep nothing, and closes the rest."""

    async def kill() -> None:
        for nanny in cluster.workers.values():
            nanny.close_gracefully()  # it starts no other worker
        for process in active_children():
            if process.name.startswith("Dask Worker"):
                process.kill()

    cluster.shutdown_on_close = False  # not once more when this process ends
    for name in ("asyncio", "tornado.application", "distributed"):  # they tell of workers that did not start
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with suppress(Exception):
        cluster.sync(kill, callback_timeout=SECONDS_TO_CLOSE)
        cluster.close(timeout=SECONDS_TO_CLOSE)
