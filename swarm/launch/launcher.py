"""Launcher: one run, from the first process to the last."""

import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from swarm.core.errors import ConfigurationError, StorageError
from swarm.core.session import SessionSpec, dataset_label
from swarm.launch.backend import Backend, Layout, Running
from swarm.launch.display import Display
from swarm.launch.free_ports import check_dashboard_port
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.log_lines import parse_log_line
from swarm.launch.programs import Program
from swarm.launch.run_progress import Detail, RunProgress, session_title
from swarm.launch.run_record import RunRecord
from swarm.launch.run_summary import (
    Outcome,
    headline,
    make_summary,
    read_reports,
    summary_table,
    write_results,
)
from swarm.learning.datasets import ResolvedDataset
from swarm.peer.federation.peer_settings import make_spec

T = TypeVar("T")

FIRST_PEER_WITHIN_S = 3.0
"""The first peer starts alone, to be up soon; the other peers wait at most this long for it."""
STOP_WITHIN_S = 4.5
"""Then the remaining processes are killed, so that Ctrl-C takes at most five seconds."""
FORK_SERVER_STOP_WITHIN_S = 0.4
"""It stops after the peers, because it holds their workers; this takes milliseconds."""
STRAGGLERS_WITHIN_S = 45.0
"""Time for the remaining peers to finish after the first one has ended by itself."""
EXPORTED_WITHIN_S = 10.0
"""Time for the peers to write their reports and models after the last round."""
EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130


class Launcher:
    """Starts the programs, reads their output, and writes their results to disk."""

    def __init__(
        self, settings: LaunchSettings, display: Display, backend: Backend, why: str
    ) -> None:
        self._settings = settings
        self._display = display
        self._backend, self._why = backend, why
        self._programs: list[Program] = []
        self._running: dict[str, Running] = {}
        self._fork_server: Running | None = None
        self._first_listens = trio.Event()
        self._over = trio.Event()
        self._rounds_done = trio.Event()
        self._exported: set[str] = set()
        self._all_exported = trio.Event()
        self._peer_ended = trio.Event()
        self._interrupted = trio.Event()
        self._started_s = trio.current_time()
        self._done_s: float | None = None
        self._stopping = False
        self._summary_shown = False
        self._usage_shown = False

    async def run(self) -> int:
        """Run until the rounds are done, all peers have ended, or the user interrupts the run.

        Returns:
            The exit code.

        Raises:
            SwarmError: The run could not be started, or its results could not be written.
        """
        settings = self._settings
        spec = make_spec(_checkable(settings.session), min_peers=settings.peers)
        if settings.dashboard:
            check_dashboard_port(settings.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_signals)
            code = EXIT_INTERRUPTED
            dataset = await self._unless_interrupted(partial(self._prepare, spec.dataset))
            if dataset is not None:
                try:
                    code = await self._launch(nursery, spec, dataset)
                finally:
                    await self._backend.close()
            nursery.cancel_scope.cancel()
        return code

    # -- before

    async def _prepare(self, name: str) -> ResolvedDataset:
        await self._backend.prepare(self._settings, lambda text: self._display.say(Detail(text)))
        self._display.say(f"looking for the data set {dataset_label(name)}")
        dataset = await self._backend.prepare_dataset(
            self._settings, name, self._display.dataset_progress
        )
        if dataset.reason:
            self._display.say(dataset.reason, loud=True)
            self._display.say("TRAINING ON GENERATED IMAGES INSTEAD", loud=True)
        if dataset.stand_in:
            self._display.say(
                f"every number below is for {dataset_label(dataset.name)}", loud=True
            )
        return dataset

    def _make_run_folder(self) -> Path:
        """Make a folder named by the time, with a suffix if that name is taken."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        names = (stamp, *(f"{stamp}-{number}" for number in range(2, 100)))
        for name in names:
            folder = self._settings.runs_dir / name
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise StorageError(f"cannot create {folder}: {error.strerror}") from error
            return folder
        raise StorageError(f"{self._settings.runs_dir} contains too many runs named {stamp}")

    # -- the run

    async def _launch(
        self,
        nursery: trio.Nursery,
        spec: SessionSpec,
        dataset: ResolvedDataset,
    ) -> int:
        settings = self._settings
        run = self._make_run_folder()
        session = {**settings.session, "dataset": dataset.name, "min_peers": settings.peers}
        session["rounds"] = spec.rounds
        layout = await self._backend.lay_out(settings, session, run)
        self._programs = layout.peers
        RunRecord.of(self._backend, settings, layout).write(run)
        self._progress = RunProgress([program.name for program in self._programs], spec.rounds)
        self._outcome = partial(Outcome, dataset=dataset, model=spec.model)
        self._display.say(
            f"starting {settings.peers} peers as {self._backend.name} (reason: {self._why}); "
            f"their logs are in {run}/peers/"
        )
        title = session_title(spec.model, dataset.name)
        with self._display.watching(self._progress, title):
            await self._unless_interrupted(partial(self._start_all, nursery, layout))
            nursery.start_soon(self._write_when_done, run)
            nursery.start_soon(self._end_stragglers)
            await self._over.wait()
            await self._stop_all()
        await self._write(run)
        self._display.print(f"All processes have ended. The results of this run are in {run}/")
        return self._exit_code()

    async def _start_all(self, nursery: trio.Nursery, layout: Layout) -> None:
        if layout.fork_server is not None:
            await self._start_fork_server(nursery, layout.fork_server)
        first, *others = self._programs
        await self._start_peer(nursery, first)
        with trio.move_on_after(FIRST_PEER_WITHIN_S):
            await self._first_listens.wait()
        for program in others:
            await self._start_peer(nursery, program)
        if layout.dashboard is not None:
            await self._start_dashboard(nursery, layout.dashboard)

    async def _start_fork_server(self, nursery: trio.Nursery, program: Program) -> None:
        """Return once it listens. It loads while the peers start; they can do without it."""
        listening = trio.Event()
        self._fork_server = await self._backend.start(
            nursery, program, _ignore, lambda _line: listening.set()
        )
        with trio.move_on_after(FIRST_PEER_WITHIN_S):
            await listening.wait()

    async def _start_peer(self, nursery: trio.Nursery, program: Program) -> None:
        running = await self._backend.start(
            nursery, program, partial(self._take_line, program.name), _ignore
        )
        self._running[program.name] = running
        nursery.start_soon(self._watch_peer, program.name, running)

    async def _start_dashboard(self, nursery: trio.Nursery, program: Program) -> None:
        last_words: list[str] = []

        def take(line: str) -> None:
            last_words[:] = [line] if line.strip() else last_words

        running = await self._backend.start(nursery, program, take, self._take_dashboard_line)
        self._running[program.name] = running
        nursery.start_soon(self._watch_dashboard, running, last_words)

    def _take_line(self, name: str, text: str) -> None:
        if self._settings.verbose:
            self._display.print(f"{name}  {text}")
        line = parse_log_line(text)
        if line is None:
            self._progress.take_words(name, text)
            return
        if line.event == "listening":
            self._first_listens.set()
        if line.event == "exported":
            self._exported.add(name)
            if self._exported >= {peer.name for peer in self._progress.alive}:
                self._all_exported.set()
        messages = self._progress.take_line(name, line, time.monotonic())
        if not self._stopping:
            self._say(messages)
        if self._progress.finished and self._done_s is None:
            self._done_s = trio.current_time()
            self._rounds_done.set()

    def _take_dashboard_line(self, text: str) -> None:
        if "http://" in text and not self._stopping:
            self._progress.page = text[text.index("http://") :]
            self._display.say(text)

    async def _watch_peer(self, name: str, running: Running) -> None:
        while True:
            code = await running.wait()
            self._first_listens.set()  # the other peers must not wait for a peer that has ended
            self._peer_ended.set()
            messages = self._progress.end_peer(name, code)
            if not self._stopping:
                self._say(messages)
            is_mistake = code == EXIT_MISTAKE and self._progress.head_round is None
            if is_mistake or not self._progress.alive:
                self._over.set()  # the other peers were started with the same mistake
            await running.wait_restarted()
            self._say(self._progress.restart_peer(name))

    async def _watch_dashboard(self, running: Running, last_words: list[str]) -> None:
        while True:
            code = await running.wait()
            if not self._stopping:
                reason = f"exit code {code}"
                if last_words:
                    reason = last_words[0].removeprefix("dashboard: ")
                self._display.say(
                    f"the dashboard has ended ({reason}); the run continues without it", loud=True
                )
            await running.wait_restarted()
            self._display.say("the dashboard was started again")

    # -- the end

    async def _write_when_done(self, run: Path) -> None:
        """Write the results after the last round; without --once the page stays live after it."""
        if self._settings.once:
            return
        await self._rounds_done.wait()
        with trio.move_on_after(EXPORTED_WITHIN_S):
            await self._all_exported.wait()
        await self._write(run)
        page = "the page stays live, " if self._settings.dashboard else ""
        self._display.say(f"all rounds are done; {page}press Ctrl-C to end the run")

    async def _end_stragglers(self) -> None:
        await self._peer_ended.wait()
        if not self._settings.once:
            return
        while not any(peer.exit_code == 0 for peer in self._progress.peers.values()):
            self._peer_ended = trio.Event()
            await self._peer_ended.wait()
        await trio.sleep(STRAGGLERS_WITHIN_S)
        names = ", ".join(peer.name for peer in self._progress.alive)
        self._display.say(f"{names} did not finish in time and will be stopped", loud=True)
        self._over.set()

    async def _stop_all(self) -> None:
        self._stopping = True
        if self._progress.alive and self._interrupted.is_set():
            self._display.say("stopping the run; press Ctrl-C again to kill all processes at once")
        with trio.move_on_after(STOP_WITHIN_S):
            async with trio.open_nursery() as nursery:
                for running in self._running.values():
                    running.stop()
                    nursery.start_soon(running.wait)
        for running in self._running.values():
            running.kill()
        for running in self._running.values():
            await running.wait()
        await self._stop_fork_server()

    async def _stop_fork_server(self) -> None:
        if self._fork_server is None:
            return
        self._fork_server.stop()
        with trio.move_on_after(FORK_SERVER_STOP_WITHIN_S):
            await self._fork_server.wait()
        self._fork_server.kill()
        await self._fork_server.wait()

    async def _write(self, run: Path) -> None:
        await self._backend.collect(self._programs)
        now_s = self._done_s if self._done_s is not None else trio.current_time()
        outcome = self._outcome(
            died=frozenset(p.name for p in self._progress.peers.values() if p.phase == "died"),
            session=self._progress.session,
            wall_seconds=now_s - self._started_s,
        )
        summary = make_summary(outcome, read_reports(self._programs))
        has_model = write_results(run, summary, self._programs)
        if summary["rounds"] == 0:
            self._display.print(f"No round was finished. The peers' logs are in {run}/peers/")
        elif not self._summary_shown:
            self._summary_shown = True
            self._display.print(headline(summary))
            self._display.print(summary_table(summary))
            self._display.print(f"The summary is in {run}/summary.json")
        if has_model and not self._usage_shown:
            self._usage_shown = True
            self._display.print(
                "To load the model, and to evaluate it on the whole test set, run:"
            )
            for line in self._backend.usage(self._settings, run, outcome.dataset.name):
                self._display.print(f"  {line}")

    def _exit_code(self) -> int:
        progress = self._progress
        if self._interrupted.is_set():
            return EXIT_INTERRUPTED
        if any(peer.finished for peer in progress.peers.values()):
            return 0
        died = [p for p in progress.peers.values() if p.exit_code not in (None, 0)]
        cause = next((p for p in died if p.exit_code == EXIT_MISTAKE), died[0])
        reason = cause.last_words or f"{cause.name} ended with exit code {cause.exit_code}"
        self._display.say(f"the run has failed: {reason}", loud=True)
        return EXIT_MISTAKE if cause.exit_code == EXIT_MISTAKE else EXIT_FAILED

    # -- the user

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for _ in signals:
                if self._interrupted.is_set():
                    for running in self._running.values():
                        running.kill()
                self._interrupted.set()
                self._over.set()

    async def _unless_interrupted(self, what: Callable[[], Awaitable[T]]) -> T | None:
        result: T | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_after, self._over, nursery.cancel_scope)
            result = await what()
            nursery.cancel_scope.cancel()
        return result

    def _say(self, messages: list[str]) -> None:
        for text in messages:
            self._display.say(text)


def _checkable(session: Any) -> dict[str, Any]:
    """Return the fields that can be checked before a peer reads the model."""
    fields = dict(session)
    if str(fields.get("model", "")).endswith(".keras"):
        path = Path(fields.pop("model"))
        if not path.is_file():
            raise ConfigurationError(f"cannot read the model {path}: no such file")
    return fields


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _ignore(line: str) -> None:
    """Drop a line: the stdout of a peer is meant for users that start one by hand."""
