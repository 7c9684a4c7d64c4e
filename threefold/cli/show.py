"""The demo: the flight-delay project, told chapter by chapter while it really happens."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.rule import Rule

from threefold.cli.printing import size
from threefold.cli.progress import StepProgress
from threefold.cli.replaying import show_day
from threefold.cli.turns import print_gates
from threefold.data.split import ID
from threefold.design.page import render as render_canvas
from threefold.errors import Conflict, Finding, GateFailed, LeakError, NotFound
from threefold.governance.report import render as render_report
from threefold.governance.story import Latency, RollbackStory, Stage, Story
from threefold.governance.summary import months_table
from threefold.governance.telling import tell, told_again
from threefold.governance.trace import trace
from threefold.loop import lifecycle
from threefold.loop import replay as replaying
from threefold.loop.client import Client
from threefold.loop.project import Project, open_project
from threefold.loop.reproduce import reproduce
from threefold.registry import evidence, versions
from threefold.serving import process, routing

MARK = ".threefold-demo"  # lies in a folder that a demo made, and that the next one may replace
FIRST_MONTH = 4
TRAINED_ON = datetime(2013, FIRST_MONTH, 1)  # the first model knows January to March
SINGLE_REQUESTS = 300
PAGE = 100  # letters

LEAKING = '''

def what_happened(flights: pl.DataFrame) -> pl.DataFrame:
    """A feature that looks splendid in training: it knows when the flight really left and landed."""
    return flights.select("dep_delay", "arr_time")
'''

BROKEN = '''

class upside_down:
    """A deliberately broken candidate: it takes every yes for a no."""

    def __init__(self, task, **params):
        self.rate = {}

    def fit(self, X, y):
        carriers = X["carrier"].to_list()
        for carrier in set(carriers):
            found = [label for one, label in zip(carriers, y) if one == carrier]
            self.rate[carrier] = 1 - sum(found) / len(found)
        return self

    def predict(self, X):
        return [self.rate.get(carrier, 0.5) for carrier in X["carrier"].to_list()]

    def predict_proba(self, X):
        return [[1 - p, p] for p in self.predict(X)]
'''


def example() -> Path:
    """The flight project: beside the code in a checkout, inside the package once installed."""
    package = Path(__file__).parents[1]
    for folder in (package.parent / "examples" / "flight_delays", package / "cli" / "flight_delays"):
        if (folder / "threefold.yaml").is_file():
            return folder
    raise NotFound("the flight project is not installed", str(package), "install Threefold again")


@dataclass(slots=True)
class Show:
    """One telling of the story. `run` goes through the chapters; each uses what the ones before left."""

    console: Console
    folder: Path
    months: int
    stages: list[Stage] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    rollbacks: list[RollbackStory] = field(default_factory=list)
    today: str = ""  # the last replayed day

    def run(self) -> None:
        """Tell all of it."""
        began = time.perf_counter()
        project = self.design()
        self.data(project)
        self.leak(project)
        turn = self.training(project)
        self.broken(project)
        self.release(project)
        with (
            process.start(
                project.store.root, catalogue=project.store.catalogue, objects=project.store.objects_at
            ) as server,
            Client(server.address, project.endpoint) as client,
        ):
            self.serving(project, client, server.address)
            self.live(project, client)
            self.rollback(project, client)
        self.ending(project, turn, began)

    @contextmanager
    def chapter(self, number: int, title: str) -> Iterator[None]:
        """A heading, and the time that passed below it."""
        self.console.print()
        self.heading(f"{number}. {title}")
        began = time.perf_counter()
        yield
        self.stages.append(Stage(title, time.perf_counter() - began))

    def heading(self, title: str) -> None:
        """A title on a line as wide as a page; what is written into a file has no width of its own."""
        rule = Rule(f"[bold]{title}", align="left", style="dim")
        self.console.print(rule, width=min(self.console.width, PAGE))

    def say(self, text: str, *, cut: bool = False) -> None:
        """One line of the story; `cut` shortens it to the width of the terminal."""
        self.console.print(f"  {text}", no_wrap=cut, overflow="ellipsis" if cut else "fold")

    # ------------------------------------------------------------------------------------------- before release

    def design(self) -> Project:
        """The canvas is read, checked and rendered."""
        with self.chapter(1, "Design"):
            lay_out(self.folder)
            project = open_project(self.folder)
            canvas = project.canvas
            page = self.folder / "canvas.html"
            page.write_text(render_canvas(canvas), encoding="utf-8")
            self.say(f"[bold]{canvas.project}[/]: {canvas.value.need}")
            wrong = {name.replace("_", " "): cost for name, cost in canvas.value.mistakes.items()}
            self.say("a mistake costs " + ", ".join(f"{k} {v:g} {canvas.value.currency}" for k, v in wrong.items()))
            self.say(f"{len(canvas.data)} tables, {len(canvas.accept)} gates of its own; canvas as a page: {page}")
        return project

    def data(self, project: Project) -> None:
        """Snapshots, profiles, contracts, cleaning, the sealed test share, point-in-time features."""
        with self.chapter(2, "Data and features"), StepProgress(self.console) as progress:
            turn = lifecycle.turn(project, stage="features", as_of=TRAINED_ON, on_step=progress.step)
            for name in project.canvas.data:
                taken = turn.outcome.value(f"ingest/{name}.snapshot")
                self.say(f"{name}: {taken.rows:,} rows, {size(taken.size_bytes)}, snapshot {taken.digest[:12]}")
                for note in turn.outcome.value(f"clean/{name}.notes"):
                    self.say(
                        f"  {note}",
                    )
            train, test = turn.outcome.value("features"), turn.outcome.digest("sealed")
            self.say(f"{train.height:,} flights to learn from; the newest tenth is sealed as {test[:12]}")

    def leak(self, project: Project) -> None:
        """A feature that knows the future is refused."""
        with self.chapter(3, "A feature that knows the future"):
            leaking = variant(project, {"features.py": LEAKING})
            try:
                lifecycle.turn(leaking, stage="features", as_of=TRAINED_ON)
            except LeakError as error:
                where = Path(error.where).name  # the spoiled copy of the project is gone when somebody reads this
                self.refused.append(Finding(error.what, where, error.do))
                self.say(f"[red]✗[/] {error.what}")
                self.say(f"  {error.do}")

    def training(self, project: Project) -> lifecycle.Turn:
        """Candidates, cross-validated over time, then the gates."""
        with self.chapter(4, "Training and gates"):
            with StepProgress(self.console) as progress:
                turn = lifecycle.turn(
                    project, stage="gates", as_of=TRAINED_ON, reason="first release", on_step=progress.step,
                    on_progress=progress.detail,
                )  # fmt: skip
            for name in project.canvas.train.candidates:
                found = turn.outcome.value(f"train/{name}.report")
                numbers = ", ".join(f"{key} {found.metrics[key]:.3f}" for key in ("roc_auc", "log_loss"))
                self.say(f"{name}: {numbers} over {len(found.folds)} folds of time, {len(found.trials)} trials")
            print_gates(turn.results)
        return turn

    def broken(self, project: Project) -> None:
        """A deliberately broken candidate is stopped by the gates."""
        with self.chapter(5, "A broken model before the gates"):
            spoiled = variant(
                project, {"model.py": BROKEN}, {"candidates: [linear, boosting]": "candidates: [upside_down]"}
            )
            try:
                lifecycle.turn(spoiled, stage="gates", as_of=TRAINED_ON, reason="a deliberately broken model")
            except GateFailed:
                refused = versions.list_versions(project.store, project.canvas.project)[-1]
                proof = evidence.of(project.store, versions.subject(refused.name, refused.number))
                self.say(f"version {refused.number} is refused:")
                print_gates([one.result for one in proof if not one.result.passed])

    def release(self, project: Project) -> None:
        """Packaged, registered, approved by rule, released."""
        with self.chapter(6, "Release"):
            turn = lifecycle.turn(project, as_of=TRAINED_ON, reason="first release")
            assert turn.version is not None
            self.say(f"version {turn.version.number}: {turn.version.status} by rule, bundle {turn.version.bundle[:12]}")
            ran = sum(one.status == "ran" for one in turn.outcome.executions)
            self.say(
                f"{len(turn.outcome.executions) - ran} steps reused, {ran} ran: nothing had changed since the gates"
            )

    # -------------------------------------------------------------------------------------------------- in service

    def serving(self, project: Project, client: Client, address: str) -> None:
        """A real server process answers, and its answers are timed."""
        with self.chapter(7, "Serving"):
            self.say(f"{address}/v2/models/{project.endpoint}  (Open Inference Protocol v2)")
            replaying.follow(project, client)

    def live(self, project: Project, client: Client) -> None:
        """April to December, month by month."""
        with self.chapter(8, f"Live: {self.months} months over HTTP"):
            end = (
                datetime(2013, FIRST_MONTH + self.months, 1)
                if FIRST_MONTH + self.months <= 12
                else datetime(2014, 1, 1)
            )
            with self.console.status("building the features of the year"):
                replay = replaying.prepare(project, client, TRAINED_ON, end)
            self._replay(replay)
        self._single_rows(replay)
        spent = replay.spent
        parts = (
            ("replay: features", spent.features), ("replay: predictions", spent.predictions),
            ("replay: labels", spent.labels), ("replay: monitors", spent.watching), ("replay: retraining", spent.training),
        )  # fmt: skip
        self.stages[-1:] = [Stage(name, seconds) for name, seconds in parts]

    def _replay(self, replay: replaying.Replay) -> None:
        month, rows, began = 0, 0, time.perf_counter()
        with self.console.status("replaying") as status:
            for day in replaying.run_days(replay, on_turn=lambda cause: status.update(f"retraining: {cause.on}")):
                if day.day.month != month:
                    month = day.day.month
                    self.console.print(f"  [bold]{day.day:%B}[/]")
                rows, self.today = rows + day.rows, day.day.isoformat()
                status.update(f"{day.day}: {rows:,} predictions")
                show_day(self.console, day)
        took = time.perf_counter() - began
        self.say(f"{rows:,} predictions in {took:.0f} s, every one logged")

    def _single_rows(self, replay: replaying.Replay) -> None:
        """How long one row in one request takes, as a client sees it."""
        # Ids of their own: these rows were predicted before, and must not count twice in the table of the months.
        rows = replay.features.tail(SINGLE_REQUESTS).with_columns(pl.format("timed-{}", pl.col(ID)).alias(ID))
        times = []
        for index in range(rows.height):
            began = time.perf_counter()
            replay.client.predict(rows.slice(index, 1), replay.task, request_id=f"timed-{index}")
            times.append(time.perf_counter() - began)
        p50, p99 = (float(np.quantile(times, share)) * 1000 for share in (0.5, 0.99))
        self.latency.append(Latency("one row a request", len(times), len(times) / sum(times), p50, p99))
        self.say(f"one row in one request: p50 {p50:.1f} ms, p99 {p99:.1f} ms, checks and log on")

    def rollback(self, project: Project, client: Client) -> None:
        """The old version is one command away."""
        with self.chapter(9, "Rollback"):
            before = routing.current(project.store, project.endpoint)
            began = time.perf_counter()
            try:
                after = routing.rollback(project.store, project.endpoint, "shown in the demo")
            except Conflict as error:
                self.say(f"{error.what}: nothing was retrained in this period")
                return
            replaying.follow(project, client)
            took = (time.perf_counter() - began) * 1000
            left, to = before.arms[-1].number, after.arms[0].number
            self.rollbacks.append(RollbackStory(self.today, left, to, "shown in the demo", took))
            self.say(f"threefold rollback: version {left} → {to}, answered by the server after {took:.0f} ms")
            began = time.perf_counter()
            routing.rollback(project.store, project.endpoint, "and forward again")
            replaying.follow(project, client)
            took = (time.perf_counter() - began) * 1000
            self.rollbacks.append(RollbackStory(self.today, to, left, "and forward again", took))
            self.say(f"and forward again to version {routing.current(project.store, project.endpoint).arms[0].number}")

    # ------------------------------------------------------------------------------------------------------ the end

    def ending(self, project: Project, turn: lifecycle.Turn, began: float) -> None:
        """The table of the months, one trace, one reproduction, the report."""
        with self.chapter(10, "The end: what it was worth"):
            story = tell(project)
            self.console.print(months_table(story))
        with self.chapter(11, "One prediction, back to its sources"):
            hops = trace(project, last_prediction(project))
            for hop in hops:
                self.say(f"{hop.kind:>12}  {hop.name}  [dim]{hop.digest[:12]} {hop.detail}[/]", cut=True)
        with self.chapter(12, "The first model, built again"):
            first = versions.get(project.store, project.canvas.project, 1)
            again = reproduce(project, first)
            for one in again.compared:
                self.say(f"{'[green]✓[/]' if one.equal else '[red]✗[/]'} {one.what} {one.after[:12]}")
            self.say(f"predictions differ by at most {again.largest_difference:g} on {again.rows} rows")
        told = replace(
            story, refused_features=tuple(self.refused), latency=tuple(self.latency), stages=tuple(self.stages),
            trace=hops, reproduction=told_again(again), rollbacks=tuple(self.rollbacks),
        )  # fmt: skip
        self._close(told, began)

    def _close(self, story: Story, began: float) -> None:
        report = self.folder / "report.html"
        report.write_text(render_report(story), encoding="utf-8")
        self.console.print()
        self.heading("Done")
        for stage in self.stages:
            self.say(f"{stage.seconds:7.1f} s  {stage.name}")
        self.say(f"{time.perf_counter() - began:7.1f} s  in all")
        self.say(f"report   {report}")
        self.say(f"project  {self.folder}  (threefold -C {self.folder} status)")


def lay_out(folder: Path) -> None:
    """A fresh copy of the flight project. An older demo in the same place is replaced; anything else is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise Conflict("the folder holds something that is not a demo", str(folder), "choose another: --into FOLDER")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(example(), folder, ignore=shutil.ignore_patterns(".threefold", "__pycache__", "*.html"))
    (folder / MARK).write_text("made by `threefold demo`; the next demo replaces this folder\n", encoding="utf-8")


def variant(project: Project, added: dict[str, str], changed: dict[str, str] | None = None) -> Project:
    """The project with something wrong in it, in a folder of its own, on the same store."""
    folder = project.root / ".threefold" / "tmp" / "variant"
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns(".threefold", "__pycache__", "*.html", MARK)
    shutil.copytree(project.root, folder, ignore=ignored)
    for name, text in added.items():
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)
    canvas = folder / "threefold.yaml"
    text = canvas.read_text(encoding="utf-8")
    for old, new in (changed or {}).items():
        text = text.replace(old, new)
    canvas.write_text(text, encoding="utf-8")
    return open_project(folder, store=project.store.root)


def last_prediction(project: Project) -> str:
    """The id of a prediction of the last replayed day."""
    from threefold.serving import log

    rows = log.read_predictions(project.store, project.endpoint)
    return str(rows["prediction_id"][-SINGLE_REQUESTS - 1])
