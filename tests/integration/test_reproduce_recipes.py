"""A study of recipes, whole and small: it makes its stages once, and chooses on validation what it reports on test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.paper.artefacts import write_artefacts
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.run import Reproduction

ROOT = Path(__file__).parents[2]


def test_recipes_are_compared_on_a_saved_model(tmp_path: Path) -> None:
    config = ReproductionConfig.load(
        ROOT / "configs/selection.yaml",
        text={"data": "tatoeba"},
        joint={"model": str(ROOT / "models/en-fr-mini")},
        topics=["dog"],
        seeds=[0],
        search={"size": 40},
        scores={"size": 8, "minimum": 3, "placebo_draws": 2, "usage_size": 50},
        recipes={
            "compared": [
                {"name": "whole", "recipe": "paper", "s_primes": [8, 24], "cut": False},
                {"name": "dropped", "recipe": "paper", "s_primes": [8], "mode": "drop"},
            ],
            "sizes": [2, 8],
            "losses": [50],
            "shown": [],
            "placebo": "dropped",
            "unrelated": 8,
            "null_control": [8],
        },
    )
    made: list[str] = []
    Reproduction(config, tmp_path, device="cpu", say=made.append).run()
    assert made == ["joint-0", "dog/0/sets", "dog/0/recipes", "dog/0/null-control"]
    work = Reproduction(config, tmp_path, device="cpu", say=made.append)
    work.run()
    assert len(made) == 4, "a second run makes nothing"

    results = Results.load(config, work.store)
    (study,) = results.studies.values()
    whole, dropped = study.recipes["whole"], study.recipes["dropped"]
    assert {point.s_prime for point in whole.validation.points} <= {8, 24}
    assert {point.codes for point in dropped.validation.points} <= {
        2,
        8,
        max(p.codes for p in dropped.validation.points),
    }
    assert [p.codes for p in dropped.test.points] == [dropped.chosen(50).validation.codes]
    assert dropped.test.points[0].closed is not None
    assert dropped.test.n_retain == 8
    assert len(study.placebo) == 2
    assert set(study.examples) == {"prompt", "before", "whole", "dropped"}
    assert study.examples["dropped"] != study.examples["before"]
    (null,) = results.nulls.values()
    assert set(null.codes) == {"paper, S'=8"}, "both are the same recipe"
    assert null.codes["paper, S'=8"] < whole.validation.points[-1].codes
    page = write_artefacts(config, work.store, tmp_path)
    assert page.is_file()
    assert not results.missing
    other = replace(config, recipes=replace(config.recipes, shown=("whole",)))
    assert work.store.state(Reproduction(other, tmp_path).stages()[2]) == "finished", "what is shown changes no result"
