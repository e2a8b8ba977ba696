"""What a task's languages decide: a topic's forms and controls, how answers are compared, and which metrics apply."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import example, given
from hypothesis import strategies as st

import codeunlearn
from codeunlearn.corpus.answer_words import ParallelText, target_words
from codeunlearn.corpus.languages.base import LANGUAGES, language_named, lexicon_of
from codeunlearn.corpus.languages.typography import PLAIN
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.topic_choice import propose_topics
from codeunlearn.corpus.topic_sets import build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score, on_texts, standard_metrics
from codeunlearn.evaluation.metrics.fluency import CharacterModel, fit_fluency
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.reporting import model_card
from codeunlearn.tasks.base import TASKS, Example, View

PACKAGE = Path(codeunlearn.__file__).parent


def outputs(answers: list[str], references: list[str], language: str, words: tuple[str, ...] = ()) -> Outputs:
    task: Any = SimpleNamespace(name="told", languages=("english", language))
    examples = [Example("tell", (reference,)) for reference in references]
    return Outputs(TestSet("forget", examples, words), answers, task, View(None, None))


def score(metric: str, *told: Any, **of: Any) -> Score:
    found = METRICS.get(metric)(outputs(*told, **of))
    assert found is not None
    return found


def test_a_module_outside_the_languages_names_no_language_but_the_metrics_of_french() -> None:
    """What a language knows is reached through the registry; French is what metrics that are called alone compare in."""
    named = {"codeunlearn.corpus.languages.english", "codeunlearn.corpus.languages.french"}
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(("corpus/languages/", "evaluation/metrics/french/")) and named & modules:
            assert (place, named & modules) == ("evaluation/metrics/base.py", {"codeunlearn.corpus.languages.french"})


def test_the_languages_of_translation_have_entries() -> None:
    assert {*TASKS.get("translation").languages} <= {*LANGUAGES.names()}
    assert [language_named(name).code for name in TASKS.get("translation").languages] == ["en", "fr"]


def test_a_language_of_which_stems_are_known_is_compared_as_a_plain_one() -> None:
    german = language_named("german")
    assert (german.code, german.stem("hunde"), german.stem("hund")) == ("de", "hund", "hund")
    assert german.typography is PLAIN
    assert german.lexicon is None


def test_a_language_without_an_entry_is_plain() -> None:
    assert language_named("klingon") == language_named("vulcan")
    assert language_named("klingon").typography is PLAIN
    with pytest.raises(CodeUnlearnError, match=r"no lexicon of the language 'klingon' \(there is one of english\)"):
        lexicon_of("klingon")


@pytest.mark.parametrize("language", ["english", "french", "klingon"])
@given(text=st.text() | st.text("aœÆé\u0301\u0304\u0327\u200b «»'’;! …\ufb01"))
@example(text="œ\u0301")  # its last letter and the accent become one
def test_a_typography_applied_twice_changes_nothing(language: str, text: str) -> None:
    typography = language_named(language).typography
    assert typography.normalise(typography.normalise(text)) == typography.normalise(text)
    assert typography.tokens(typography.normalise(text)) == typography.tokens(text)


@pytest.mark.parametrize(
    ("language", "same"),
    [
        ("french", ["Il dit «\u202fl\u2019œuvre\u202f»\u00a0!", 'Il dit "l\'oeuvre"!']),
        ("english", ["He says “it’s”.", 'He says "it\'s".']),
        ("klingon", ["un cafe\u0301 tre\u0300s  noir", "un caf\u00e9 tr\u00e8s noir"]),
    ],
)
def test_spellings_of_a_language_are_no_difference(language: str, same: list[str]) -> None:
    for metric in ("bleu", "chrf", "ter"):
        assert score(metric, same[:1], same[1:], language).value == pytest.approx(0 if metric == "ter" else 100)


def test_a_plain_language_keeps_what_it_knows_nothing_about() -> None:
    assert score("chrf", ["l’amour"], ["l'amour"], "klingon").value < 100
    assert PLAIN.words("“Oui” – non !") == ["“oui”", "non"]
    assert score("length_ratio", ["un deux !"], ["un - l'autre"], "klingon").value == pytest.approx(100)


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter", "degenerate_rate", "length_ratio"])
@pytest.mark.parametrize(("language", "version"), [("french", "fr"), ("english", "en"), ("klingon", "plain")])
def test_a_signature_names_the_typography(metric: str, language: str, version: str) -> None:
    typography = language_named(language).typography
    assert typography.version.startswith(version)
    assert score(metric, ["a b"], ["a b"], language).signature.endswith(f"|norm:{typography.version}")


def test_a_task_has_the_metrics_of_all_languages_and_those_of_its_answers() -> None:
    def applying(language: str) -> set[str]:
        told = outputs(["a b"], ["a b"], language)
        forced = {"extraction_strength", "target_word_probability", "target_word_rank"}
        return {name for name, metric in standard_metrics().items() if name not in forced and metric(told) is not None}

    assert applying("french") - applying("english") == {"meteor_fr", "french_share"}
    assert applying("english") == applying("klingon") > {"bleu", "chrf"}


def test_fluency_is_not_measured_in_another_language_than_it_was_fitted_on() -> None:
    train = ParallelText(["a"] * 3, ["ein Satz", "noch ein Satz", "und einer"])
    told = outputs(["ein Satz"], ["ein Satz"], "german")
    german = on_texts(fit_fluency(train, language="german"))(told)
    assert german is not None
    assert german.signature.endswith("norm:plain.1")
    with pytest.raises(CodeUnlearnError, match="of another language than the answers; fit it on their language"):
        on_texts(CharacterModel(["une phrase"]))(told)


def test_a_topic_of_a_language_without_a_lexicon_is_given_as_sentences() -> None:
    with pytest.raises(CodeUnlearnError, match="give the topic as a file of sentences"):
        Topic.from_word("Hund", language="german")
    with pytest.raises(CodeUnlearnError, match="no lexicon"):
        propose_topics(["Der Hund bellt."], language="german")
    sources = [f"Der Hund bellt {n} mal." for n in range(30)] + [f"Es regnet {n} Tage." for n in range(40)]
    rows = {"source": sources, "target": [f"Answer {n}." for n in range(70)]}
    pools = dict.fromkeys(("train", "validation", "test"), Dataset.from_dict(rows))
    topic = Topic.from_sentences("barking", sources[:30], language="german")
    sets = build_topic_sets(topic, pools, answer_language="english")
    assert (len(sets.search), len(sets.forget), sets.paired) == (30, 30, False)
    with pytest.raises(CodeUnlearnError, match="no lexicon of the language 'german'"):
        build_topic_sets(Topic.from_forms("dog", ["Hund"], language="german"), pools, answer_language="english")


def test_a_topic_keeps_its_language_and_english_is_written_as_ever() -> None:
    assert "language" not in Topic.from_word("dog").to_dict()
    assert Topic.from_dict(Topic.from_word("dog").to_dict()) == Topic.from_word("dog")
    german = Topic.from_forms("dog", ["Hund", "Hunde"], language="german")
    assert german.kind == "word"
    assert Topic.from_dict(german.to_dict()) == german


def test_answer_words_share_the_stems_of_their_language() -> None:
    """A rare form comes with the others of its stem; in a plain language it is a word of its own."""
    sources = [f"we love {n}" for n in range(100)] + [f"we eat {n}" for n in range(900)]
    train = ParallelText(sources, ["il aime"] * 98 + ["il aimait"] * 2 + ["il mange"] * 900)
    assert target_words(Topic.from_word("love"), train, "french") == ("aime", "aimait")
    assert target_words(Topic.from_word("love"), train, "klingon") == ("aime",)


def test_a_vocabulary_is_of_a_language() -> None:
    words = Vocabulary.from_sentences(["Don't!"] * 2)
    assert words.counts == {"do": 2, "n't": 2, "!": 2}
    assert words.lexicon is lexicon_of("english")


def test_a_model_card_states_the_languages_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    TASKS.names()
    told: Any = SimpleNamespace(name="telling", languages=("english", "english"))
    strange: Any = SimpleNamespace(name="guessing", languages=("klingon", "french"))
    monkeypatch.setattr(TASKS, "_entries", {**TASKS._entries, "telling": told, "guessing": strange})
    record = {
        "kind": "plain",
        "base": "b",
        "pairs": {"data": "d", "kept": 3},
        "environment": {"codeunlearn": "0", "torch": "0", "transformers": "0"},
    }
    cards = {name: model_card("m", record, task=name) for name in ("translation", "telling", "guessing")}
    assert "A model for translation from English to French," in cards["translation"]
    assert "A model for telling in English," in cards["telling"]
    assert "A model for guessing from Klingon to French," in cards["guessing"]
    heads = {name: card.split("library_name")[0] for name, card in cards.items()}
    assert heads["translation"] == "---\nlanguage:\n- en\n- fr\n"
    assert heads["telling"] == "---\nlanguage:\n- en\n"
    assert heads["guessing"] == "---\nlanguage:\n- fr\n"
    assert "pipeline_tag" not in cards["telling"]
