"""Tables, figures and page are made of canned results: what they show is what was measured, and what is missing is said."""

from __future__ import annotations

import csv
import json
import math
import re
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from codeunlearn.corpus.loading import DataConfig
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.curve import Curve, Point
from codeunlearn.evaluation.metrics.base import on_answers, standard_metrics
from codeunlearn.evaluation.metrics.knowledge import EXTRACTION, PROBABILITY, RANK
from codeunlearn.evaluation.metrics.lexical import bleu, chrf
from codeunlearn.evaluation.scores import RECALL, Scores
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import Role, System
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, WHOLE, TestSet
from codeunlearn.experiments import ablations
from codeunlearn.experiments.ablations import result_name
from codeunlearn.experiments.ablations_config import REFERENCE, AblationConfig, Variant
from codeunlearn.experiments.answers import UnitAnswers
from codeunlearn.experiments.config import BaseConfig, JointConfig, ReproductionConfig, SearchConfig, TopicConfig
from codeunlearn.experiments.paper.artefacts import make_artefacts, write_artefacts
from codeunlearn.experiments.paper.examples import choose
from codeunlearn.experiments.paper.extent_figure import trained_for
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.run import Reproduction
from codeunlearn.experiments.searches import deletion_name
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.experiments.units import units
from codeunlearn.reporting.labels import MINUS
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.unlearning import ForgetSet, TopicSearch

LEVELS = (8, 24, 72)
TASK = TASKS.get("translation")
NOBODY = View(None, None)
CHRF, BLEU = on_answers(chrf), on_answers(bleu)
CONFIG = ReproductionConfig(
    DataConfig("stories"),
    BaseConfig("some/model"),
    (TopicConfig("love"), TopicConfig("Julien")),
    title="Canned <b>results</b>",
    gold=("love",),
    seeds=(0, 1),
    search=SearchConfig(s_primes=LEVELS),
)
N = 12


def pairs(word: str) -> list[Example]:
    return [Example(f"she {word}s the house number {i} of the street", (t,)) for i, t in enumerate(french(word))]


def french(word: str) -> list[str]:
    return [f"elle {word} la maison numéro {i} de la rue" for i in range(N)]


def answers() -> UnitAnswers:
    """The topic's word is lost at S' = 24, half of the unrelated sentences suffer at 72, placebos do nothing much."""
    tests = [
        TestSet(FORGET, pairs("aime"), ("aime",)),
        TestSet(RETAIN, pairs("voit")),
        TestSet("like", pairs("goûte"), ("goûte",)),
    ]
    good = [*french("aime"), *french("voit"), *french("goûte")]
    lost = [*french("prend"), *french("voit"), *french("goûte")]
    spoiled = [*french("prend"), *french("voit")[: N // 2], *["rien"] * (N // 2), *french("goûte")]
    slight = [good[0].replace("rue", "ville"), *good[1:]]
    return UnitAnswers(
        tests=tests,
        before=good,
        systems={"zero-shot": ["elle dort"] * (3 * N), "plain": good, "gold": lost},
        deleted={deletion_name(8): good, deletion_name(24): lost, deletion_name(72): spoiled},
        codes={deletion_name(8): 3, deletion_name(24): 9, deletion_name(72): 30},
        placebos=[slight, good],
        placebo_use={"topic": 50, "placebo": 48.0},
        placebo_ids=[[100], [101]],
    )


def finish(store: StageStore, name: str, result: dict[str, Any]) -> None:
    store.run([Stage(name, {}, (), lambda: result)])


def canned(name: str) -> System:
    """A system whose answers are known, so that it is never asked."""
    others: Role = "control" if name.startswith("placebo") else "reference"
    role: Role = "before" if name == "codebook" else "after" if "=" in name else others
    return System(name, role, lambda: nullcontext(NOBODY))


def score_of(content: UnitAnswers, seed: int = 0, folder: Path | None = None) -> Scores:
    asking_none = {n: m for n, m in standard_metrics().items() if n not in (EXTRACTION, PROBABILITY, RANK)}
    said = content.by_system("codebook")
    details = {"codes": content.codes, "placebo_use": content.placebo_use}
    return score(
        TASK, content.tests, [canned(name) for name in said],
        topic="love", seed=seed, answers=said, metrics=asking_none, samples=0, details=details, by_sentence=folder,
    )  # fmt: skip


@cache
def scored(seed: int = 0) -> Scores:
    return score_of(answers(), seed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> StageStore:
    """Everything of `love` is finished with both seeds, nothing of `Julien`."""
    store = StageStore(tmp_path_factory.mktemp("canned"))
    finish(store, "quality-0", quality("zero-shot", "plain", "codebook", "bypass").to_dict())
    for seed in CONFIG.seeds:
        sets = {level: ForgetSet("love", tuple(range(level)), "0" * 64, num_codes=128) for level in LEVELS}
        searches = [
            {"size": level, "seconds": 1.0 + seed, "sentences": 100, "forget_set": one.to_dict()}
            for level, one in sets.items()
        ]
        finish(store, f"love/{seed}/search", {"searches": searches})
        finish(store, f"love/{seed}/translations", answers().to_dict())
        scores = score_of(answers(), seed, store.out / "results" / f"love/{seed}")
        finish(store, f"love/{seed}/scores", scores.to_dict())
    return store


def test_scores_are_those_of_the_metrics_themselves() -> None:
    scores = scored()
    spoiled = [*french("voit")[: N // 2], *["rien"] * (N // 2)]
    references = [[text] for text in french("voit")]
    change = scores.comparison(deletion_name(72), RETAIN, "chrf")
    assert change is not None
    assert change.after == pytest.approx(chrf(spoiled, references).value)
    assert change.before == pytest.approx(100)
    zero = bleu(["elle dort"] * N, references).value
    drop = scores.comparison(deletion_name(72), RETAIN, "bleu")
    assert drop is not None
    assert drop.normalised == pytest.approx(100 * (drop.after - 100) / (100 - zero))
    assert not drop.denominator_within_noise


def test_a_difference_in_differences_is_the_change_beyond_that_on_unrelated_sentences() -> None:
    scores = scored()
    for level in LEVELS:
        forget, retain = (scores.comparison(deletion_name(level), name, "chrf") for name in (FORGET, RETAIN))
        assert forget is not None
        assert retain is not None
        assert forget.beyond_retain == pytest.approx(forget.delta - retain.delta)
        assert retain.beyond_retain is None
    untouched = scores.comparison(deletion_name(8), FORGET, "chrf")
    assert untouched is not None
    assert (untouched.beyond_retain_low, untouched.beyond_retain_high) == (0.0, 0.0)


def test_there_is_no_drop_where_the_codebook_model_is_no_better_than_zero_shot() -> None:
    scores = score_of(replace(answers(), systems={"zero-shot": answers().before}))
    change = scores.comparison(deletion_name(24), FORGET, "bleu")
    assert change is not None
    assert change.denominator_within_noise
    assert change.normalised is None


def test_answers_and_scores_survive_their_files() -> None:
    kept = answers().to_dict()
    assert kept["deleted"][deletion_name(8)] == {}, "of a deletion only what it changed is kept"
    assert UnitAnswers.from_dict(json.loads(json.dumps(kept))) == answers()
    older = {name: value for name, value in kept.items() if name != "placebo_ids"}
    assert UnitAnswers.from_dict(older) == replace(answers(), placebo_ids=[])
    assert Scores.from_dict(json.loads(json.dumps(scored().to_dict()))) == scored()


def test_results_have_the_form_of_open_unlearning(store: StageStore) -> None:
    folder = store.out / "results" / "love" / "0"
    content = json.loads((folder / "codebook.json").read_text())
    entry = content["forget_chrf"]
    assert set(entry) == {"agg_value", "value_by_index"}
    assert list(entry["value_by_index"]) == [str(i) for i in range(N)]
    assert entry["value_by_index"]["0"] == {"chrf": pytest.approx(100)}
    summary = json.loads((folder / "SUMMARY.json").read_text())
    assert summary["S'=24"]["forget_topic_word_recall"] == 0.0
    assert (folder / "S-24.json").exists()


def test_a_mean_is_one_over_seeds_with_the_placebo_beside_it(store: StageStore) -> None:
    results = Results.load(CONFIG, store)
    cell = results.mean("love", FORGET, RECALL, 72)
    assert cell is not None
    assert (cell.seeds, cell.n, cell.codes) == (2, N, 30)
    assert (cell.before, cell.after, cell.gold, cell.delta) == (100, 0, 0, -100)
    assert cell.placebo == 0
    other = results.mean("love", FORGET, "chrf", 72)
    assert other is not None
    assert other.placebo is not None
    assert other.placebo_low is not None
    assert other.delta < other.placebo_low <= other.placebo < 0
    assert other.spread == 0
    assert results.mean("Julien", FORGET, RECALL, 72) is None


def test_every_artefact_of_what_is_finished_is_written_for_programs_people_and_print(store: StageStore) -> None:
    page = write_artefacts(CONFIG, store, store.out)
    names = {path.stem for path in (store.out / "artefacts").iterdir()}
    assert names == {"models", "table1", "table2", "table3", "figure3", "figure5"}, "nothing of Julien is finished"
    for name in names:
        files = {path.suffix for path in (store.out / "artefacts").glob(f"{name}.*")}
        assert files == {".csv", ".md"} | (set() if name in ("models", "table1") else {".svg"})
        with (store.out / "artefacts" / f"{name}.csv").open(encoding="utf-8") as file:
            assert list(csv.DictReader(file))
    text = page.read_text(encoding="utf-8")
    assert "Canned &lt;b&gt;results&lt;/b&gt;" in text
    assert "Julien/0/scores" in text, "what is missing is said"
    assert text.count("data:image/svg+xml;base64") == len(names) - 2
    assert "For 1 of 1 topic the loss of topic-word recall is greater" in text
    assert str(store.out) not in text


def test_figures_stand_in_the_page_in_their_own_shape(store: StageStore) -> None:
    page = write_artefacts(CONFIG, store, store.out).read_text(encoding="utf-8")
    svg = (store.out / "artefacts" / "table2.svg").read_text(encoding="utf-8")
    wide, high = (float(re.findall(rf'<svg[^>]*\b{side}="([\d.]+)pt"', svg)[0]) for side in ("width", "height"))
    assert f'width="{round(wide * 96 / 72)}" height="{round(high * 96 / 72)}"' in page


def test_figures_are_the_same_at_every_writing(store: StageStore) -> None:
    results = Results.load(CONFIG, store)
    one, other = ({a.name: a.svg for a in make_artefacts(results)} for _ in range(2))
    assert one == other


def test_the_numbers_of_table_2_stand_beside_the_papers(store: StageStore) -> None:
    write_artefacts(CONFIG, store, store.out)
    with (store.out / "artefacts" / "table2.csv").open(encoding="utf-8") as file:
        rows = {(row["set"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(rows[FORGET, "bleu"]["paper"]) == -112.52
    assert float(rows[RETAIN, "meteor_fr"]["paper"]) == -57.82
    assert rows["like", "bleu"]["paper"] == ""
    assert float(rows[FORGET, "bleu"]["n"]) == N
    markdown = (store.out / "artefacts" / "table2.md").read_text(encoding="utf-8")
    assert re.search(r"\| love \(12\) \| D'_T \|", markdown)


def test_the_search_time_is_the_mean_over_topics_and_seeds(store: StageStore) -> None:
    (table,) = (a for a in make_artefacts(Results.load(CONFIG, store)) if a.name == "table3")
    first = table.records[0]
    assert (first["size"], first["searches"], first["seconds_mean"]) == (8, 2, 1.5)
    assert first["seconds_sd"] == pytest.approx(math.sqrt(0.5))
    assert first["paper_seconds_mean"] == 473.66


def test_examples_are_chosen_by_rule_and_show_what_changed(store: StageStore) -> None:
    (table,) = (a for a in make_artefacts(Results.load(CONFIG, store)) if a.name == "table1")
    lines = dict(re.findall(r"^\| (.*?) \| (.*) \|$", table.grids[0].to_markdown(), re.MULTILINE)[1:])
    assert list(lines) == [
        "English", "Ground truth", "Codebook model",
        "S' = 8, 3 codes deleted", "S' = 24, 9 codes deleted", "S' = 72, 30 codes deleted",
    ]  # fmt: skip
    assert lines["S' = 8, 3 codes deleted"] == lines["Codebook model"]
    assert lines["S' = 24, 9 codes deleted"].startswith("elle **prend** la maison")
    done = answers()
    assert choose(done, done.tests[1], 2) == [N // 2, N // 2 + 1], (
        "unrelated sentences that some deletion changed come first"
    )


def test_nothing_finished_is_a_page_that_says_so(tmp_path: Path) -> None:
    page = write_artefacts(CONFIG, StageStore(tmp_path), tmp_path)
    assert "Not finished" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "artefacts").exists()


def quality(*systems: str) -> Scores:
    said = {name: french("voit") for name in systems}
    test = TestSet(WHOLE, pairs("voit"))
    return score(TASK, [test], [canned(name) for name in said], answers=said, metrics={"chrf": CHRF, "bleu": BLEU})


def swept(topic: str, before: float, *points: tuple[int, float, float]) -> Curve:
    """A curve of (S', recall, change of chrF on D_R)."""
    made = [
        Point(size, f"S'={size}", size, size, recall, 0.0, 9.0, 0.0, -5.0, retain, -2.0, 0.5)
        for size, recall, retain in points
    ]
    return Curve(topic, "paper", "S'", before, 20, 20, made)


@pytest.mark.parametrize(("together", "names"), [(False, ["gold-love", "gold-Julien"]), (True, ["gold"])])
def test_one_gold_model_can_stand_for_several_topics(together: bool, names: list[str], tmp_path: Path) -> None:
    text = DataConfig("stories", limit=60)
    config = replace(
        CONFIG, text=text, base=BaseConfig(size="tiny", text=(text,)), gold=("love", "Julien"), gold_together=together
    )
    stages = {stage.name: stage for stage in Reproduction(config, tmp_path).stages()}
    assert [name for name in stages if name.startswith("gold")] == names
    for topic, gold in zip(config.gold, names * 2 if together else names, strict=True):
        assert gold in stages[f"{topic}/0/translations"].after


def test_sentences_are_found_before_anything_is_trained(tmp_path: Path) -> None:
    text = DataConfig("stories", limit=60)
    config = replace(CONFIG, text=text, base=BaseConfig(size="tiny", text=(text,)))
    names = [stage.name for stage in Reproduction(config, tmp_path).stages()]
    found = [unit.sets for unit in units(config)]
    assert names[: len(found)] == found
    assert "base" in names[len(found) :]


def test_ablations_are_means_over_topics_and_count_those_that_are_gone(tmp_path: Path) -> None:
    config = replace(CONFIG, ablations=AblationConfig(variants=(Variant("drop", mode="drop"),)))
    store = StageStore(tmp_path)
    curves = [
        swept("gone, but at too high a price", 80.0, (8, 40.0, 0.0), (72, 0.0, -1.5)),
        swept("Julien", 80.0, (8, 8.0, -0.5), (72, 4.0, -2.5)),
        swept("never said", 0.0, (8, 0.0, 0.0), (72, 0.0, 0.0)),
    ]
    content = {"quality": quality("codebook").to_dict(), "curves": [asdict(curve) for curve in curves]}
    finish(store, result_name("drop"), content)
    results = Results.load(config, store)
    assert result_name(REFERENCE) in results.missing
    (table,) = (artefact for artefact in make_artefacts(results) if artefact.name == "ablations")
    (record,) = table.records
    assert record["variant"] == "drop"
    assert record["recall_after"] == pytest.approx(4 / 3)
    assert record["retain_chrf_delta"] == pytest.approx(-4 / 3)
    assert record["topics_gone"] == 1
    assert record["chrf"] == pytest.approx(100)


def test_variants_that_differ_in_the_extent_of_their_training_are_a_line_in_its_order(tmp_path: Path) -> None:
    made = {"long": (64, 320, 90.0), "short": (64, 5, 50.0), "other": (64, 80, 70.0)}
    made |= {"larger": (128, 5, 60.0), "larger, more": (128, 80, 65.0), "alone": (256, 5, 40.0)}
    varied = tuple(
        Variant(name, bottleneck={"num_codes": codes}, train={"max_steps": steps})
        for name, (codes, steps, _) in made.items()
    )
    joint = JointConfig(train={"batch_tokens": 4000})
    made_from = AblationConfig(variants=(*varied, Variant("drop", mode="drop")))
    config = replace(CONFIG, joint=joint, ablations=made_from)
    store = StageStore(tmp_path)
    for name, (*_, closed) in made.items():
        curve = swept("love", 80.0, (8, 40.0, 0.0), (72, 4.0, 0.0))
        ends = {"closed": closed, "closed_low": closed - 5, "closed_high": closed + 5}
        shown = replace(curve, points=[replace(point, **ends) for point in curve.points])
        finish(store, result_name(name), {"quality": quality("codebook").to_dict(), "curves": [asdict(shown)]})
    results = Results.load(config, store)
    lines = trained_for(results, 72)
    found = {label: [(one.extent, one.closed) for one in line] for label, line in lines.items()}
    assert found == {
        "K = 64": [("5 steps", [50]), ("80 steps", [70]), ("320 steps", [90])],
        "K = 128": [("5 steps", [60]), ("80 steps", [65])],
    }, "a codebook with one training is no line, and what all have in common is not said"
    (table,) = (artefact for artefact in make_artefacts(results) if artefact.name == "ablations")
    assert [record["closed"] for record in table.records] == [90, 50, 70, 60, 65, 40]
    assert table.svg


def test_a_variant_for_which_no_code_is_found_is_a_row_without_numbers(tmp_path: Path) -> None:
    config = replace(CONFIG, ablations=AblationConfig(variants=(Variant("drop", mode="drop"),)))
    store = StageStore(tmp_path)
    finish(store, result_name("drop"), {"quality": quality("codebook").to_dict(), "curves": []})
    (table,) = (a for a in make_artefacts(Results.load(config, store)) if a.name == "ablations")
    assert math.isnan(table.records[0]["recall_after"])
    assert table.records[0]["topics_gone"] == 0


def test_a_topic_for_which_no_code_is_found_has_no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def search(self, *_: Any, **__: Any) -> TopicSearch:
            return TopicSearch(ForgetSet("love", (), "f"))

    class Ready:
        """Models and sentences that are there already."""

        def open(self, _: str) -> tuple[None, None]:
            return None, None

        def read_sets(self, _: Any) -> TopicSets:
            return TopicSets(Topic("love", ("love",)), [], [], True, [], [], [], [])

    monkeypatch.setattr(ablations, "make_recipe", lambda _: Nothing())
    ready: Any = Ready()
    made: Any = ablations.Ablations(CONFIG, ready, ready)
    assert made._curve(units(CONFIG)[0], "joint-0", None) is None


def test_a_page_names_the_zero_point_that_its_scores_have(tmp_path: Path, store: StageStore) -> None:
    (table,) = (a for a in make_artefacts(Results.load(CONFIG, store)) if a.name == "table2")
    assert "better than the zero-shot model" in table.caption
    alone = StageStore(tmp_path)
    finish(alone, "love/0/scores", score_of(replace(answers(), systems={})).to_dict())
    results = Results.load(CONFIG, alone)
    (table,) = (a for a in make_artefacts(results) if a.name == "table2")
    assert f"{MINUS}100 % empty translations (no zero-shot model was given)" in table.caption
    assert table.figure is not None
    assert table.figure.get_supxlabel().endswith(f"{MINUS}100 empty translations (no zero-shot model was given)")
