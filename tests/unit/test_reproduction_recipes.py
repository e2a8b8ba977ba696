"""Recipes side by side: sizes are chosen on validation and reported on test, and the docs show what the product makes."""

from __future__ import annotations

import re
import runpy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from codeunlearn import save_model
from codeunlearn.codebook import model_identity
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.curve import Curve, Point
from codeunlearn.experiments.config import JointConfig, ReproductionConfig, ScoreConfig, TopicConfig
from codeunlearn.experiments.paper.artefacts import make_artefacts, write_artefacts
from codeunlearn.experiments.recipes import NullControl, RecipeStudy, Studied, told_apart
from codeunlearn.experiments.recipes_config import ComparedRecipe, RecipesConfig
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.run import Reproduction
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.reporting.artefact import Artefact
from codeunlearn.reporting.labels import MINUS
from codeunlearn.unlearning import ForgetSet, forget

ROOT = Path(__file__).parents[2]
CONFIG = ReproductionConfig(
    DataConfig("stories", limit=300),
    topics=(TopicConfig("love"), TopicConfig("captain")),
    joint=JointConfig(model=str(ROOT / "models/en-fr-mini")),
    seeds=(0, 1),
    scores=ScoreConfig(minimum=1),
    recipes=RecipesConfig(
        compared=(ComparedRecipe("whole", "paper", s_primes=(8, 72), cut=False), ComparedRecipe("recommended")),
        losses=(50, 90),
        placebo="recommended",
        null_control=(8,),
    ),
)


def curve(*points: tuple[int, float, float]) -> Curve:
    """Of (codes, what the topic loses in per cent, change of chrF on the rest)."""
    made = [
        Point(
            codes,
            f"{codes} codes",
            codes,
            8,
            100 - loss,
            0.0,
            9.0,
            loss,
            -5.0,
            rest,
            rest - 1,
            rest + 1,
            loss - 5,
            loss + 5,
        )
        for codes, loss, rest in points
    ]
    return Curve("love", "paper", "codes", 100.0, 20, 40, made)


STRONG = Studied(2.0, curve((1, 30.0, 0.0), (4, 60.0, 0.0), (8, 95.0, 0.0)), curve((4, 55.0, -0.25), (8, 85.0, -0.75)))
WEAK = Studied(6.0, curve((10, 20.0, 0.0), (40, 70.0, 0.0)), curve((40, 65.0, -2.0)))


def finish(store: StageStore, name: str, result: Any) -> None:
    store.run([Stage(name, {}, (), lambda: asdict(result))])


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    """Both seeds of `love` are finished, nothing of `captain`."""
    store = StageStore(tmp_path)
    first = RecipeStudy(
        {"whole": WEAK, "recommended": STRONG},
        {"like": {"whole": -3.0, "recommended": -1.0}},
        [0.5, -0.5],
        {"prompt": ["I love"], "before": ["j'aime"], "whole": ["je mange"], "recommended": ["je dors"]},
    )
    finish(store, "love/0/recipes", first)
    finish(store, "love/1/recipes", RecipeStudy({"whole": WEAK, "recommended": replace(STRONG, seconds=4.0)}))
    finish(store, "love/0/null-control", NullControl(100, {"paper, S'=8": 7, "recommended": 0}))
    return store


def artefacts(store: StageStore) -> dict[str, Artefact]:
    return {artefact.name: artefact for artefact in make_artefacts(Results.load(CONFIG, store))}


def rows(artefact: Artefact) -> list[list[str]]:
    """Those of its table, with a hyphen for the minus sign."""
    return [[str(cell).replace(MINUS, "-") for cell in row] for row in artefact.grids[0].rows]


def test_the_fewest_codes_that_reach_a_loss_on_validation_are_reported_on_test() -> None:
    assert STRONG.chosen(50).reached
    assert (STRONG.chosen(50).validation.topic_loss, STRONG.chosen(50).test.topic_loss) == (60.0, 55.0)
    assert (STRONG.chosen(90).test.codes, STRONG.chosen(90).test.topic_loss) == (8, 85.0)
    assert not WEAK.chosen(90).reached
    assert WEAK.chosen(90).test.codes == 40, "where no size reaches it, the one that takes most"


def test_a_table_has_the_codes_of_every_seed_and_says_what_was_not_reached(store: StageStore) -> None:
    table = artefacts(store)["loss-90"]
    assert rows(table) == [["love (20)", "not reached", "", "", "8, 8", "85 [80, 90]", "-0.75 [-1.75, +0.25]"]]
    assert "love with whole, seed 1 (at most 70%, with 40 codes; on test 65%)" in table.grids[0].caption
    assert [record["codes"] for record in table.records] == [40, 40, 8, 8]
    assert rows(artefacts(store)["loss-50"])[0][1:3] == ["40, 40", "65 [60, 70]"]


def test_a_cost_is_the_mean_over_losses_and_none_where_the_largest_is_missed(store: StageStore) -> None:
    assert rows(artefacts(store)["cost"]) == [["love", "90% missed by 2 of 2", "+0.50"]]


def test_neighbours_placebo_time_and_null_control_stand_beside_it(store: StageStore) -> None:
    made = artefacts(store)
    assert rows(made["neighbours"]) == [["love", "like -3.0", "like -1.0", "-0.50 to +0.50", "-0.75"]]
    assert rows(made["seconds"]) == [["whole", "6.0", "6.0 to 6.0"], ["recommended", "3.0", "2.0 to 4.0"]]
    assert rows(made["null-control"]) == [["love", "100", "7", "0"]]
    assert rows(made["examples"]) == [["love", "I love", "j'aime", "je mange", "je dors"]]
    assert "Closed" not in " ".join(made["details"].grids[0].columns), "nothing there has it"


def test_the_page_says_what_was_found_and_what_is_missing(store: StageStore, tmp_path: Path) -> None:
    page = write_artefacts(CONFIG, store, tmp_path / "out").read_text(encoding="utf-8")
    assert "“recommended” takes 90% of the topic&#39;s recall on validation in 2 of 2 cases, with 8 codes." in page
    assert "“whole” takes 90% of the topic&#39;s recall on validation in 0 of 2 cases." in page
    assert all(name in page for name in ("captain/1/recipes", "captain/0/null-control"))
    assert not any(name in page for name in ("quality-0", "captain/1/null-control", "love/0/search"))


def test_a_saved_codebook_model_is_used_as_it_is(tmp_path: Path) -> None:
    names = [stage.name for stage in Reproduction(CONFIG, tmp_path).stages()]
    units = [f"{word}/{seed}" for word in ("love", "captain") for seed in (0, 1)]
    made = [f"{unit}/{stage}" for unit in units for stage in ("sets", "recipes")]
    assert names == ["joint-0", *made, "love/0/null-control", "captain/0/null-control"]
    alone = [stage.name for stage in Reproduction(replace(CONFIG, recipes=RecipesConfig()), tmp_path).stages()]
    assert {name.rpartition("/")[2] for name in alone} == {"joint-0", "sets", "search", "translations", "scores"}


@pytest.mark.parametrize("name", ["selection", "deleted-slots"])
def test_the_committed_tables_are_those_of_the_committed_results(name: str) -> None:
    folder = ROOT / "docs/results" / name
    results = Results.load(ReproductionConfig.load(ROOT / f"configs/{name}.yaml"), StageStore(folder))
    made = {artefact.name: artefact for artefact in make_artefacts(results)}
    assert {path.stem for path in (folder / "artefacts").iterdir()} == set(made)
    for artefact in made.values():
        assert (folder / "artefacts" / f"{artefact.name}.md").read_text(encoding="utf-8") == artefact.to_markdown()
        assert (folder / "artefacts" / f"{artefact.name}.csv").read_text(encoding="utf-8") == artefact.to_csv()


def test_the_tables_in_the_docs_are_those_of_their_files() -> None:
    script = runpy.run_path(str(ROOT / "docs/fill_tables.py"))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    assert sum(len(re.findall("<!-- table: ", text)) for text in texts) > 30
    for text in texts:
        assert script["MARKED"].sub(script["filled"], text) == text


def test_a_seed_in_which_a_recipe_finds_nothing_counts_as_not_reached(tmp_path: Path) -> None:
    config, store = replace(CONFIG, seeds=(5, 3)), StageStore(tmp_path)
    finish(store, "love/5/recipes", RecipeStudy({"whole": WEAK}))
    finish(store, "love/3/recipes", RecipeStudy({"whole": WEAK, "recommended": STRONG}))
    made = {artefact.name: artefact for artefact in make_artefacts(Results.load(config, store))}
    table = made["loss-90"]
    assert [(record["seed"], record["recipe"]) for record in table.records] == [
        (5, "whole"), (3, "whole"), (3, "recommended"),
    ]  # fmt: skip
    assert rows(table)[0][4] == "none, 8"
    assert "love with recommended, seed 5 (it found no code)" in table.grids[0].caption
    assert rows(made["cost"]) == [["love", "90% missed by 2 of 2", "90% missed by 1 of 2"]]


def test_a_topic_without_codes_is_left_out_and_named(store: StageStore, tmp_path: Path) -> None:
    for seed in CONFIG.seeds:
        finish(store, f"captain/{seed}/recipes", RecipeStudy({}))
    assert [row[0] for row in rows(artefacts(store)["loss-50"])] == ["love (20)"]
    page = write_artefacts(CONFIG, store, tmp_path / "out").read_text(encoding="utf-8")
    assert "No recipe found a code for “captain”, which the tables leave out." in page
    alone = StageStore(tmp_path / "alone")
    finish(alone, "love/0/recipes", RecipeStudy({}))
    assert not artefacts(alone), "where nothing was found there are no tables"


def test_the_null_control_tells_recipes_apart_that_search_differently(tmp_path: Path) -> None:
    drop = ComparedRecipe("drop", "recommended", mode="drop")
    whole, cut = ComparedRecipe("whole", "paper", cut=False), ComparedRecipe("paper", mode="drop")

    def compared(*recipes: ComparedRecipe) -> list[dict[str, Any]]:
        config = replace(CONFIG, recipes=replace(CONFIG.recipes, compared=recipes))
        stages = {stage.name: stage for stage in Reproduction(config, tmp_path).stages()}
        return stages["love/0/null-control"].settings["compared"]

    recommended = ComparedRecipe("recommended")
    assert compared(whole, cut, recommended) == [
        {"recipe": "paper", "options": {}}, {"recipe": "recommended", "options": {}},
    ]  # fmt: skip
    assert list(told_apart((whole, cut, recommended))) == ["paper", "recommended"], "the paper's searches are one"
    assert compared(recommended, drop)[1] == {"recipe": "recommended", "options": {}, "mode": "drop"}
    assert list(told_apart((recommended, drop))) == ["recommended", "drop"]
    assert list(told_apart((ComparedRecipe("a", "paper"), ComparedRecipe("paper", "recommended")))) == [
        "a",
        "recommended",
    ]


def test_a_saved_model_that_has_forgotten_is_refused(tmp_path: Path, tiny: Any, tiny_tokenizer: Any) -> None:
    model, folder = tiny(), tmp_path / "model"
    forget(model, ForgetSet("love", (1, 2), model_identity(model)))
    save_model(model, tiny_tokenizer, folder)
    config = replace(CONFIG, joint=JointConfig(model=str(folder)))
    with pytest.raises(CodeUnlearnError, match=r"has forgotten something already, .*restore it first"):
        Reproduction(config, tmp_path / "out", device="cpu").run()
