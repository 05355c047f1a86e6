"""Chunks trained by the workers of a Dask cluster: one that is there, or processes of this machine.

A chunk is one task of Dask's, and a pure function: a worker that dies costs the time of its chunks and nothing else. Every
worker must run the same sources as this process, or nothing is trained.
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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from concurrent.futures import Future as Waiting
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import active_children, resource_tracker
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.trainer import Batch, Progress
from pipeline.errors import ConfigError
from pipeline.results.rows import RunRows
from pipeline.sweeps.chunks import Chunk
from pipeline.trials.fingerprint import content
from pipeline.trials.settings import ExecutorChoice

try:
    import dask
    import distributed
    from distributed.versions import VersionMismatchWarning
except ModuleNotFoundError:
    raise ConfigError("executor", "dask", "needs Dask: pip install -e '.[dask]'") from None

Result = TypeVar("Result")

CHUNKS_PER_THREAD = 2  # in flight: one that is trained and one that waits for the worker
SECONDS_TO_ANSWER = 10.0
SECONDS_FOR_WORKERS = 30.0
SECONDS_TO_START = 120.0
SECONDS_TO_CLOSE = 0.5
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_COUNTS = 1.0  # of the workers
TIMES_GIVEN_UP = 3  # by Dask, on a chunk over which workers die
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


def identity() -> dict[str, str]:
    """What this process runs."""
    return IDENTITY


def differences(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """In what a worker differs; empty where it does not."""
    return ", ".join(f"{name} {theirs.get(name)}, not {ours[name]}" for name in ours if theirs.get(name) != ours[name])


def patterns(inputs: Array, targets: Array) -> tuple[Array, Array]:
    """What all chunks of one task share, as a task of Dask's: sent once to each worker, made again where it is lost."""
    return inputs, targets


def train_chunk(ours: dict[str, str], pickled: bytes, shared: tuple[Array, Array]) -> pa.Table:
    """On a worker: the result of a chunk, by one thread. Ends early where it is cancelled."""
    worker = distributed.get_worker()
    if found := differences(IDENTITY, ours):
        raise WrongWorkerError(f"the worker {worker.address} has {found}")
    chunk: Chunk = pickle.loads(pickled)
    key, tasks = worker.get_current_task(), worker.state.tasks

    def looking(runs: int, epochs: int) -> None:
        task = tasks.get(key)
        if task is None or task.state == "cancelled":
            raise StoppedError

    batch = replace(chunk.batch, inputs=shared[0], targets=shared[1])
    chunk = replace(chunk, batch=batch)
    return chunk.rows(chunk.train(looking, threads=1)).table


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk that a worker has been given, and how often Dask has given up on it."""

    chunk: Chunk
    worker: str
    given_up: int


class Cluster:
    """Trains on Dask's workers. Raises ConfigError where there are none, or where one runs something else."""

    def __init__(self, choice: ExecutorChoice, interrupts: Interrupts) -> None:
        self.choice, self.interrupts = choice, interrupts
        self.key, self.value = ("executor.address", choice.address) if choice.address else ("executor", "dask")
        self.in_flight: dict[Waiting[pa.Table], Sent] = {}
        self.shared: dict[str, Any] = {}
        self.workers: dict[str, int] = {}
        self.counted = 0.0
        self.local: Any = None
        self.client: Any = None
        logging.getLogger("distributed").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", VersionMismatchWarning)  # told in one line
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

    def _connect(self) -> None:
        if self.choice.address is None:
            self.folder = tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True)
            with self.interrupts.deferred():
                self.local = start_local(self.folder.name)
                self.client = distributed.Client(self.local, set_as_default=False)
                self.local.scale(self.choice.workers)
            return
        address = self.choice.address
        try:
            self._run_interruptibly(lambda: asyncio.run(answer(address)))
            self.client = self._run_interruptibly(
                lambda: distributed.Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
            )
        except Exception as error:  # whatever goes wrong when something else is there
            reason = str(error).partition("\n")[0] or "nothing came"
            raise self._refusal(f"no Dask scheduler answers there ({reason})") from None

    def _run_interruptibly(self, action: Callable[[], Result]) -> Result:
        """What comes of an action that may take long: while it goes on in another thread, an interrupt is answered."""
        result: Waiting[Result] = Waiting()

        def act() -> None:
            try:
                result.set_result(action())
            except BaseException as error:
                result.set_exception(error)

        Thread(target=act, daemon=True).start()
        while not result.done():
            wait([result], SECONDS_BETWEEN_LOOKS)
            self.interrupts.raise_if_requested()
        return result.result()

    def _wait_for_workers(self) -> None:
        """Until there is one; on this machine, until all are there."""
        wanted = self.choice.workers if self.local else 1
        started, told = time.monotonic(), False
        while len(self._threads()) < wanted:
            waited = time.monotonic() - started
            if self.local and waited > SECONDS_TO_START:
                raise self._refusal(f"its workers on this machine do not start within {SECONDS_TO_START:.0f} s")
            if not self.local and waited > SECONDS_FOR_WORKERS:
                raise self._refusal(f"has no workers; start one with: .venv/bin/dask worker {self.value}")
            if not told and not self.local:
                print(f"waiting for workers at {self.value}", file=sys.stderr, flush=True)
                told = True
            time.sleep(SECONDS_BETWEEN_LOOKS)
            self.interrupts.raise_if_requested()
            self.counted = 0.0

    def _threads(self) -> dict[str, int]:
        """The workers and their threads, as of a second ago."""
        if time.monotonic() - self.counted > SECONDS_BETWEEN_COUNTS:
            try:
                self.workers = self.client.nthreads()
            except (OSError, RuntimeError):
                raise self._lost() from None
            self.counted = time.monotonic()
        return self.workers

    def _lost(self) -> ConfigError:
        return self._refusal("the scheduler is gone; what is trained is kept, and the same command goes on from there")

    def _check(self) -> None:
        """Raises ConfigError where a worker runs something else."""
        for address, found in sorted(self._run_interruptibly(lambda: self.client.run(identity, on_error="return")).items()):
            if isinstance(found, OSError):  # it has just gone
                continue
            if isinstance(found, Exception):
                raise self._refusal(f"the worker {address} cannot import the project ({type(found).__name__}: {found})")
            if different := differences(found, IDENTITY):
                raise self._refusal(f"the worker {address} has {different}")
        try:
            self._run_interruptibly(lambda: self.client.run_on_scheduler(identity))
        except (ImportError, AttributeError) as error:
            raise self._refusal(f"the scheduler cannot import the project ({error})") from None

    def train(self, chunks: Iterable[Chunk], progress: Progress) -> Iterator[RunRows]:
        """The results of the chunks as they come."""
        waiting = iter(chunks)
        chunk = next(waiting, None)
        while chunk or self.in_flight:
            while chunk and (worker := self._free_worker()):
                self._send(Sent(chunk, worker, 0))
                chunk = next(waiting, None)
            ended = self._ended()
            self.interrupts.raise_if_requested()
            for result in ended[:1]:  # one at a time, so that no worker waits while results are recorded
                sent = self.in_flight.pop(result)
                if (table := self._received(result, sent)) is not None:
                    progress(table.num_rows, epochs_trained(sent.chunk.batch, table))
                    yield RunRows(table)

    def _ended(self) -> list[Waiting[pa.Table]]:
        """The chunks that have ended, after a moment's wait at most."""
        if not self.in_flight:  # there are no workers
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return list(wait(self.in_flight, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done)

    def _free_worker(self) -> str | None:
        """The worker with the least to do for its threads, if it may have more."""
        threads = self._threads()
        busy = Counter(sent.worker for sent in self.in_flight.values())
        worker = min(threads, key=lambda address: busy[address] / threads[address], default=None)
        return worker if worker and busy[worker] < CHUNKS_PER_THREAD * threads[worker] else None

    def _send(self, sent: Sent) -> None:
        """Gives a chunk to its worker, or to another if that is gone."""
        batch = sent.chunk.batch
        name = f"patterns-{content(batch.inputs)}-{content(batch.targets)}"
        with self.interrupts.deferred():
            if name not in self.shared:
                self.shared[name] = self.client.submit(patterns, batch.inputs, batch.targets, pure=False)
            none = np.empty((0, 0))
            pickled = pickle.dumps(replace(sent.chunk, batch=replace(batch, inputs=none, targets=none)))
            future = self.client.submit(
                *(train_chunk, IDENTITY, pickled, self.shared[name]),
                workers=[sent.worker],
                allow_other_workers=True,
                pure=False,
            )
            result = self.client.gather(future, asynchronous=True)
            self.in_flight[asyncio.run_coroutine_threadsafe(result, self.client.loop.asyncio_loop)] = sent

    def _received(self, result: Waiting[pa.Table], sent: Sent) -> pa.Table | None:
        """A result; or None if Dask has given up on the chunk, which is then sent again."""
        try:
            return result.result()
        except WrongWorkerError as error:
            raise self._refusal(str(error)) from None
        except distributed.KilledWorker:
            if sent.given_up + 1 == TIMES_GIVEN_UP:
                lost = f"{len(sent.chunk.indices):,} trials"
                raise self._refusal(
                    f"workers died again and again over a chunk of {lost}; is there memory enough? see executor.chunk"
                ) from None
            self.shared.clear()
            self._send(replace(sent, given_up=sent.given_up + 1))
            return None
        except CancelledError:
            raise self._lost() from None
        except Exception:
            self._check()  # a worker without the project fails in its own ways
            raise

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


def epochs_trained(batch: Batch, table: pa.Table) -> int:
    """The epochs of all trainings of a chunk."""
    longest = np.zeros(batch.initial_parameters.shape[1], np.int64)
    np.maximum.at(longest, batch.training, table.column("epochs").to_numpy())
    return int(longest.sum())


async def answer(address: str) -> None:
    """Returns if there is a scheduler. A Client that finds none is not told apart so well, nor let go so easily."""
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
