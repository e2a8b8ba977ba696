"""One line on the screen while a model trains: steps, time left, loss and the codebook's state."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from codeunlearn.corpus.loading import LoadReport

LINE_EVERY = 10
"""Where there is no terminal to redraw, every so many logs become a line."""


def say_loaded(report: LoadReport) -> None:
    """Which columns were read, how many pairs, and what was left out."""
    Console(stderr=True, markup=False, emoji=False, highlight=False).print(str(report), soft_wrap=True)


class TrainingProgress(TrainerCallback):
    """A bar on a terminal, lines in a file; the full log is in ``training.json`` and TensorBoard."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, markup=False, emoji=False)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self.bar = Progress(TextColumn("{task.description}"), *columns, console=self.console, transient=True)
        self.task = self.bar.add_task("Training", total=None)
        self.logs = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.update(self.task, total=state.max_steps, completed=state.global_step)
        if self.console.is_terminal:
            self.bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        logs: dict[str, float] = kwargs.get("logs") or {}
        if "loss" not in logs:
            return
        text = f"loss {logs.get('cross_entropy', logs['loss']):.2f}"
        if "codebook/unexplained_variance" in logs:
            text += f", unexplained variance {logs['codebook/unexplained_variance']:.2f}"
        self.bar.update(self.task, description=text)
        self.logs += 1
        if not self.console.is_terminal and self.logs % LINE_EVERY == 0:
            self.console.print(f"step {state.global_step} of {state.max_steps}: {text}", highlight=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar.stop()
