"""COMET (Rei et al. 2022) through the command `comet-score` of unbabel-comet, which lives in an environment of its own.

unbabel-comet 2.2 wants transformers below 5 and numpy below 2, so it cannot be installed beside this package, and a
`comet` extra could not be resolved. `pipx install unbabel-comet` puts its command on the path. Its models are pickles: only
names on the Hub are taken, never a file.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import sentence_mean
from codeunlearn.evaluation.metrics.base import TRANSLATIONS, References, Score, TextMetric, check_texts

DEFAULT_MODEL = "Unbabel/wmt22-comet-da"
COMMAND = "comet-score"

_HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")


class Comet:
    """The metric with its model.

    Args:
        model: name on the Hub of a model that compares with references.
        gpus: 1 to use a GPU.
        command: where `comet-score` is, if not on the path.

    Raises:
        CodeUnlearnError: the command is not there, or the model is a file.
    """

    def __init__(self, model: str = DEFAULT_MODEL, *, gpus: int = 0, command: str = COMMAND) -> None:
        if Path(model).exists() or model.endswith(".ckpt") or not _HUB_NAME.fullmatch(model):
            raise CodeUnlearnError(
                f"COMET's checkpoints are pickles; name one on the Hub ({DEFAULT_MODEL}), not {model}."
            )
        found = shutil.which(command)
        if found is None:
            raise CodeUnlearnError(
                "COMET needs the command comet-score, in an environment of its own: pipx install unbabel-comet."
            )
        self.model, self.gpus, self.command = model, gpus, found

    def on(self, sources: Sequence[str]) -> TextMetric:
        """The metric of hypotheses that translate these sources."""
        return partial(self.score, sources)

    def score(
        self,
        sources: Sequence[str],
        hypotheses: Sequence[str],
        references: References,
        /,
        *,
        typography: Typography = TRANSLATIONS,
    ) -> Score:
        """100 times COMET's score; of several references the first is compared, for COMET takes one."""
        check_texts(hypotheses, references)
        if len(sources) != len(hypotheses):
            raise CodeUnlearnError(f"{len(hypotheses)} hypotheses need as many sources, not {len(sources)}.")
        columns = {"src": sources, "hyp": hypotheses, "ref": [rs[0] for rs in references]}
        values = [100 * value for value in self._run({k: map(typography.normalise, v) for k, v in columns.items()})]
        if len(values) != len(hypotheses):
            raise CodeUnlearnError(f"comet-score gave {len(values)} scores for {len(hypotheses)} sentences.")
        sums = sentence_mean(values)
        signature = f"nrefs:1|model:{self.model}|by:comet-score|norm:{typography.version}"
        return Score("comet", sums.value, signature, len(sums), values, sums)

    def _run(self, columns: dict[str, Any]) -> list[float]:
        with TemporaryDirectory() as folder:
            paths = {name: Path(folder) / f"{name}.txt" for name in columns}
            for name, lines in columns.items():
                paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            out = Path(folder) / "scores.json"
            arguments = ["-s", paths["src"], "-t", paths["hyp"], "-r", paths["ref"], "--model", self.model]
            options = ["--to_json", out, "--gpus", self.gpus, "--quiet", "--only_system"]
            call = [self.command, *map(str, [*arguments, *options])]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode or not out.exists():
                said = [line for line in done.stderr.splitlines() if line.strip()]
                raise CodeUnlearnError(f"comet-score failed: {said[-1].strip() if said else 'it said nothing'}")
            (rows,) = json.loads(out.read_text(encoding="utf-8")).values()
            return [float(row["COMET"]) for row in rows]
