"""Progress of a run: one line per finished step, a spinner for the one under way."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from threefold.pipeline.engine import StepEvent


class StepProgress:
    """Shows a run while it goes. Reused steps are counted, not listed: there are many, and nothing happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None)
        self._step = ""

    def __enter__(self) -> StepProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, event: StepEvent) -> None:
        """Told by the engine about every step."""
        self._step = event.step
        self._progress.update(self._task, description=event.step, total=event.total, completed=event.index)
        if event.status == "ran":
            took = f"{event.duration_s:6.2f} s" if event.duration_s is not None else ""
            line = f"  [green]✓[/] {event.step:24} {took}  [dim]{event.reason}[/]"
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        if event.note:
            self._console.print(f"  [yellow]![/] {event.step}: {event.note}")

    def detail(self, text: str) -> None:
        """Told by a step what it is doing."""
        self._progress.update(self._task, description=f"{self._step}: {text}")
