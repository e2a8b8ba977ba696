"""Tables, figures and page are made of canned results: what they show is what was measured, and what is missing is said."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from codeunlearn.corpus.loading import DataConfig
from codeunlearn.evaluation.metrics.lexical import Score, bleu, chrf
from codeunlearn.evaluation.protocol import RECALL, evaluate_sets
from codeunlearn.evaluation.sweep import SweepRow
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, WHOLE, TestSet
from codeunlearn.experiments.ablations import result_name
from codeunlearn.experiments.config import (
    REFERENCE,
    AblationConfig,
    BaseConfig,
    ReproductionConfig,
    SearchConfig,
    TopicConfig,
    Variant,
)
from codeunlearn.experiments.paper.artefacts import make_artefacts, write_artefacts
from codeunlearn.experiments.paper.examples import choose
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.run import Reproduction
from codeunlearn.experiments.scores import SentenceScores, Translations, UnitScores, deletion_name, score_translations
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning import ForgetSet

LEVELS = (8, 24, 72)
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


def translations() -> Translations:
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
    return Translations(
        tests=tests,
        before=good,
        systems={"zero-shot": ["elle dort"] * (3 * N), "plain": good, "gold": lost},
        deleted={deletion_name(8): good, deletion_name(24): lost, deletion_name(72): spoiled},
        codes={deletion_name(8): 3, deletion_name(24): 9, deletion_name(72): 30},
        placebos=[slight, good],
        placebo_use={"topic": 50, "placebo": 48.0},
    )


def finish(store: StageStore, name: str, result: dict[str, Any]) -> None:
    store.run([Stage(name, {}, (), lambda: result)])


def score(content: Translations, seed: int = 0, **more: Any) -> tuple[UnitScores, SentenceScores]:
    options: dict[str, Any] = {"extras": lambda _: {}, "knowledge": lambda *_: {}, **more}
    return score_translations(content, "love", seed, "disjoint", **options)


@cache
def scored(seed: int = 0) -> tuple[UnitScores, SentenceScores]:
    return score(translations(), seed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> StageStore:
    """Everything of `love` is finished with both seeds, nothing of `Julien`."""
    store = StageStore(tmp_path_factory.mktemp("canned"))
    test = TestSet("test pool", pairs("voit"))
    systems = {name: lambda _: french("voit") for name in ("zero-shot", "plain", "codebook", "bypass")}
    finish(store, "quality-0", evaluate_sets("no topic", [test], systems, examples=0).to_dict())
    for seed in CONFIG.seeds:
        sets = {level: ForgetSet("love", tuple(range(level)), "0" * 64, num_codes=128) for level in LEVELS}
        searches = [
            {"s_prime": level, "seconds": 1.0 + seed, "sentences": 100, "forget_set": one.to_dict()}
            for level, one in sets.items()
        ]
        finish(store, f"love/{seed}/search", {"searches": searches})
        finish(store, f"love/{seed}/translations", translations().to_dict())
        scores, by_sentence = scored(seed)
        by_sentence.save(store.out / "results" / f"love/{seed}")
        finish(store, f"love/{seed}/scores", scores.to_dict())
    return store


def test_scores_are_those_of_the_metrics_themselves() -> None:
    scores, _ = scored()
    spoiled = [*french("voit")[: N // 2], *["rien"] * (N // 2)]
    references = [[text] for text in french("voit")]
    change = scores.change(deletion_name(72), RETAIN, "chrf")
    assert change is not None
    assert change.after == pytest.approx(chrf(spoiled, references).value)
    assert change.before == pytest.approx(100)
    zero = bleu(["elle dort"] * N, references).value
    drop = scores.change(deletion_name(72), RETAIN, "bleu")
    assert drop is not None
    assert drop.normalised == pytest.approx(100 * (drop.after - 100) / (100 - zero))
    assert not drop.denominator_within_noise


def test_a_difference_in_differences_is_the_change_beyond_that_on_unrelated_sentences() -> None:
    scores, _ = scored()
    for level in LEVELS:
        forget, retain = (scores.change(deletion_name(level), name, "chrf") for name in (FORGET, RETAIN))
        assert forget is not None
        assert retain is not None
        assert forget.beyond_retain == pytest.approx(forget.delta - retain.delta)
        assert retain.beyond_retain is None
    untouched = scores.change(deletion_name(8), FORGET, "chrf")
    assert untouched is not None
    assert (untouched.beyond_retain_low, untouched.beyond_retain_high) == (0.0, 0.0)


def test_there_is_no_drop_where_the_codebook_model_is_no_better_than_zero_shot() -> None:
    same = replace(translations(), systems={"zero-shot": translations().before})
    scores, _ = score(same)
    change = scores.change(deletion_name(24), FORGET, "bleu")
    assert change is not None
    assert change.denominator_within_noise
    assert change.normalised is None


def test_further_metrics_are_measured_on_every_row_and_knowledge_on_all_but_placebos() -> None:
    def known(row: str, test: TestSet) -> dict[str, Score]:
        return {"extraction_strength": replace(chrf(test.prompts, test.references), name="extraction_strength")}

    scores, _ = score(translations(), extras=lambda _: {"again": chrf}, knowledge=known)
    for system in ("codebook", "gold", deletion_name(24)):
        assert scores.score(system, FORGET, "extraction_strength") is not None
    assert {p.metric for p in scores.placebos} >= {"again", "chrf"}
    assert "extraction_strength" not in {p.metric for p in scores.placebos}


def test_translations_and_scores_survive_their_files(tmp_path: Path) -> None:
    kept = translations().to_dict()
    assert kept["deleted"][deletion_name(8)] == {}, "of a deletion only what it changed is kept"
    assert Translations.from_dict(json.loads(json.dumps(kept))) == translations()
    scores, _ = scored()
    again = UnitScores.from_dict(json.loads(json.dumps(scores.to_dict())))
    assert again == scores


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


def test_a_cell_is_the_mean_over_seeds_with_the_placebo_beside_it(store: StageStore) -> None:
    results = Results.load(CONFIG, store)
    cell = results.cell("love", FORGET, RECALL, 72)
    assert cell is not None
    assert (cell.seeds, cell.n, cell.codes) == (2, N, 30)
    assert (cell.codebook, cell.unlearned, cell.gold, cell.delta) == (100, 0, 0, -100)
    assert cell.placebo == 0
    other = results.cell("love", FORGET, "chrf", 72)
    assert other is not None
    assert other.placebo is not None
    assert other.delta < other.placebo_low <= other.placebo < 0  # pyright: ignore[reportOptionalOperand]
    assert other.spread == 0
    assert results.cell("Julien", FORGET, RECALL, 72) is None


def test_every_artefact_of_what_is_finished_is_written_in_three_forms(store: StageStore) -> None:
    page = write_artefacts(CONFIG, store, store.out)
    names = {path.stem for path in (store.out / "artefacts").iterdir()}
    assert names == {"models", "table1", "table2", "table3", "figure3", "figure5"}, "nothing of Julien is finished"
    for name in names:
        files = {path.suffix for path in (store.out / "artefacts").glob(f"{name}.*")}
        assert files == {".csv", ".md"} | (set() if name == "models" else {".svg"})
        with (store.out / "artefacts" / f"{name}.csv").open(encoding="utf-8") as file:
            assert list(csv.DictReader(file))
    text = page.read_text(encoding="utf-8")
    assert "Canned &lt;b&gt;results&lt;/b&gt;" in text
    assert "Julien/0/scores" in text, "what is missing is said"
    assert text.count("data:image/svg+xml;base64") == len(names) - 1
    assert "For 1 of 1 topic the loss of topic-word recall is greater" in text
    assert str(store.out) not in text


def test_figures_stand_in_the_page_in_their_own_shape(store: StageStore) -> None:
    page = write_artefacts(CONFIG, store, store.out).read_text(encoding="utf-8")
    svg = (store.out / "artefacts" / "table2.svg").read_text(encoding="utf-8")
    wide, high = (float(re.search(rf'<svg[^>]*\b{side}="([\d.]+)pt"', svg)[1]) for side in ("width", "height"))
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
    assert (first["s_prime"], first["searches"], first["seconds_mean"]) == (8, 2, 1.5)
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
    done = translations()
    assert choose(done, done.tests[1], 2) == [N // 2, N // 2 + 1], (
        "unrelated sentences that some deletion changed come first"
    )


def test_nothing_finished_is_a_page_that_says_so(tmp_path: Path) -> None:
    page = write_artefacts(CONFIG, StageStore(tmp_path), tmp_path)
    assert "Not finished" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "artefacts").exists()


def sweep(topic: str, s_prime: int, after: float, retain: float, before: float = 80.0) -> SweepRow:
    return SweepRow(topic, s_prime, s_prime, 50, 20, before, after, 0.0, 9.0, -5.0, retain, -2.0, 0.5, -0.1, None)


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


def test_ablations_are_means_over_topics_and_count_those_that_are_gone(tmp_path: Path) -> None:
    config = replace(CONFIG, ablations=AblationConfig(variants=(Variant("drop", mode="drop"),)))
    store = StageStore(tmp_path)
    quality = evaluate_sets("no topic", [TestSet(WHOLE, pairs("voit"))], {"codebook": lambda _: french("voit")})
    gone_but_at_too_high_a_price = [sweep("love", 8, 40.0, 0.0), sweep("love", 72, 0.0, -1.5)]
    never_said = [sweep("never", 8, 0.0, 0.0, before=0.0), sweep("never", 72, 0.0, 0.0, before=0.0)]
    rows = [*gone_but_at_too_high_a_price, sweep("Julien", 8, 8.0, -0.5), sweep("Julien", 72, 4.0, -2.5), *never_said]
    content = {"quality": quality.to_dict(), "rows": [asdict(row) for row in rows]}
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
