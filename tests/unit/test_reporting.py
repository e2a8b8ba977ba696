"""Reports show the numbers they are given, mark what does not hold, and never let the user's text act as markup."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.knowledge import PROBABILITY
from codeunlearn.evaluation.scores import CLOSED, Comparison, Row, Sample, Scores
from codeunlearn.evaluation.systems import Role
from codeunlearn.reporting import (
    before_after,
    examples_table,
    forget_set_table,
    ledger_table,
    model_card,
    scores_table,
    to_png,
    volcano,
    write_model_card,
    write_report,
)
from codeunlearn.reporting.labels import number, p_value, signed
from codeunlearn.reporting.summary import key_figures, summary
from codeunlearn.reporting.word_diff import Piece, word_diff
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, chi_squared
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.recipes.base import TopicSearch

ATTACK = "<script>alert('x')</script> [bold]& co[/bold]"
VOID_TAGS = {"meta", "img", "br", "link", "input", "hr"}


def table_of(topic: list[int], control: list[int], n: int = 500) -> EnrichmentTable:
    a, c = np.array(topic, dtype=np.int64), np.array(control, dtype=np.int64)
    chi2, p = chi_squared(a, n, c, n)
    return EnrichmentTable(
        ids=np.arange(len(a), dtype=np.int64) * 7,
        topic=a,
        control=c,
        f_topic=a / n,
        f_control=c / n,
        r=np.log2((a / n + EPSILON) / (c / n + EPSILON)),
        chi2=chi2,
        p=p,
        only_topic=None,
        only_control=None,
        top_tokens=tuple(((f"▁sea{i}", 9), ("salt", 2)) for i in range(len(a))),
        s_prime=24,
        unit="sentence",
        epsilon=EPSILON,
        yates=False,
        n_topic=n,
        n_control=n,
    )


TABLE = table_of([300, 120, 40, 30, 31, 2, 0, 0], [0, 10, 41, 30, 29, 0, 3, 5])


def forget_set_of(table: EnrichmentTable, rows: list[int], topic: str = "sea") -> ForgetSet:
    evidence = tuple(
        CodeEvidence(
            int(table.ids[i]),
            int(table.topic[i]),
            int(table.control[i]),
            float(table.f_topic[i]),
            float(table.f_control[i]),
            float(table.r[i]),
            float(table.p[i]),
            table.top_tokens[i],
        )
        for i in rows
    )
    return ForgetSet(
        topic,
        tuple(e.id for e in evidence),
        "f00d" * 16,
        (topic,),
        ("mer",),
        evidence,
        "paper",
        {"alpha": 0.05, "unit": "sentence"},
        24,
        0,
        8192,
        table.n_topic,
        table.n_control,
        len(table),
        0.2,
        "2026-11-23T21:00:00+00:00",
    )


def search_of(topic: str = "sea") -> TopicSearch:
    counts: Any = None
    return TopicSearch(forget_set_of(TABLE, [0, 1], topic), TABLE, counts)


def delta(set_name: str, metric: str, before: float, after: float, spread: float, **more: Any) -> Comparison:
    change = after - before
    return Comparison("unlearned", set_name, metric, before, after, change, change - spread, change + spread, **more)


DELTAS = [
    delta("forget", "topic_word_recall", 81.25, 3.5, 4.0),
    delta("forget", "chrf", 52.0, 40.0, 2.0, normalised=-61.0, normalised_low=-70.0, normalised_high=-50.0),
    delta("forget", "degenerate_rate", 0.5, 6.0, 2.5),
    delta("retain", "chrf", 55.0, 54.8, 0.6, normalised=-1.0, normalised_low=-4.0, normalised_high=2.0),
    delta("ocean", "topic_word_recall", 70.0, 40.0, 12.0),
    delta("ocean", "chrf", 50.0, 46.0, 3.0, normalised=-900.0, denominator_within_noise=True),
]


ROLES: dict[str, Role] = {"codebook": "before", "unlearned": "after", "plain": "reference", "zero-shot": "reference"}


def evaluation_of(
    deltas: list[Comparison] = DELTAS,
    systems: tuple[str, ...] = ("codebook", "unlearned", "plain", "zero-shot"),
) -> Scores:
    values = {"codebook": "before", "unlearned": "after"}
    scores = [
        Row(s, d.set, d.metric, value, value - 1.5, value + 1.5, 180, f"{d.metric}|v1")
        for s in systems
        for d in deltas
        for value in [getattr(d, values[s]) if s in values else 33.0]
    ]
    both = {"codebook": "La mer est calme.", "unlearned": "La ville est calme."}
    examples = [
        Sample("forget", "The sea is calm.", "La mer est calme.", {s: both.get(s, "Non.") for s in systems}),
        Sample("retain", "The door is red.", "La porte est rouge.", dict.fromkeys(systems, "La porte est rouge.")),
    ]
    return Scores(
        "sea",
        ("mer", "mers", "marin", "marine", "marins"),
        {"forget": 200, "retain": 200, "ocean": 80},
        {s: ROLES[s] for s in systems},
        "zero-shot",
        scores,
        deltas if {"codebook", "unlearned"} <= set(systems) else [],
        examples,
        {"seed": 3, "codes": list(range(40)), "environment": {"torch": "9.9", "gpu": None}},
    )


def rendered(table: Any, width: int = 80) -> str:
    stream = StringIO()
    Console(width=width, file=stream, force_terminal=False, no_color=True).print(table)
    return stream.getvalue()


# --- words and numbers


def test_texts_are_restored_by_their_pieces_and_only_changed_words_are_marked() -> None:
    old, new = word_diff("Il parle d'amour, ce soir.", "Il parle d'hiver, ce soir.")
    assert "".join(p.text for p in old) == "Il parle d'amour, ce soir."
    assert "".join(p.text for p in new) == "Il parle d'hiver, ce soir."
    assert [p.text for p in old if p.changed] == ["amour"]
    assert [p.text for p in new if p.changed] == ["hiver"]


def test_neighbouring_changes_are_one_piece_without_its_trailing_space() -> None:
    old, _ = word_diff("un grand chat noir", "un noir")
    assert old == [Piece("un ", False), Piece("grand chat", True), Piece(" ", False), Piece("noir", False)]


def test_a_lost_translation_is_one_changed_piece() -> None:
    assert word_diff("Bonjour.", "") == ([Piece("Bonjour.", True)], [])


def test_typography_is_no_change_of_words() -> None:
    before, after = "L\u2019a\u00admour\u00a0\u2026 _fin_ !", "L'amour... fin !"
    old, new = word_diff(before, after)
    assert ("".join(p.text for p in old), "".join(p.text for p in new)) == (before, after)
    assert not [piece for piece in (*old, *new) if piece.changed]


@given(st.text(), st.text())
@settings(deadline=None)
def test_pieces_joined_are_the_text(before: str, after: str) -> None:
    for text, pieces in zip((before, after), word_diff(before, after), strict=True):
        assert "".join(piece.text for piece in pieces) == text.strip()
        assert all(piece.text for piece in pieces)


def test_numbers_have_true_minus_signs_and_no_negative_zero() -> None:
    assert (number(-1234.56), number(-0.04), number(float("nan"))) == ("\N{MINUS SIGN}1,234.6", "0.0", "n/a")
    assert (signed(0.04), signed(0.06), signed(-2.0)) == ("0.0", "+0.1", "\N{MINUS SIGN}2.0")
    assert (p_value(0.0), p_value(0.0412), p_value(3.2e-7)) == ("<1e-300", "0.041", "3e-7")


# --- figures


def offsets(figure: Figure) -> np.ndarray[Any, Any]:
    parts = [np.asarray(c.get_offsets()) for c in figure.axes[0].collections if len(c.get_offsets())]
    return np.concatenate(parts)


def test_a_volcano_plot_has_every_code_inside_its_axes() -> None:
    axes = volcano(TABLE, [0, 7]).axes[0]
    points = offsets(axes.figure)
    assert len(points) == len(TABLE)
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert ((points[:, 0] > low) & (points[:, 0] < high)).all()
    assert ((points[:, 1] >= bottom) & (points[:, 1] < top)).all()


def test_codes_absent_from_one_group_stand_beyond_all_others_whatever_epsilon_is() -> None:
    tiny = replace(TABLE, epsilon=1e-12, r=np.log2((TABLE.f_topic + 1e-12) / (TABLE.f_control + 1e-12)))
    for table in (TABLE, tiny):
        x = sorted(offsets(volcano(table, []))[:, 0])
        both = (table.topic > 0) & (table.control > 0)
        limit = np.abs(table.r[both]).max()
        assert [value < -limit for value in x] == [True, True] + [False] * 6
        assert [value > limit for value in x] == [False] * 6 + [True, True]
        assert max(np.abs(x)) < 2 * limit + 2


def test_codes_with_the_same_counts_do_not_hide_each_other() -> None:
    points = offsets(volcano(table_of([3] * 5 + [50], [0] * 5 + [20]), []))
    assert len(np.unique(points, axis=0)) == 6


def test_a_p_value_that_underflows_is_drawn_above_all_others() -> None:
    table = table_of([5000, 4000], [0, 3000], n=5000)
    assert table.p[0] == 0
    points = offsets(volcano(table, [0]))
    assert np.isfinite(points).all()
    assert points[:, 1].max() > 323.4, "above the smallest number there is, 5e-324"


def test_the_strongest_chosen_codes_are_named_with_their_token() -> None:
    figure = volcano(TABLE, [0, 7, 14], labels=2)
    names = {text.get_text() for text in figure.axes[0].texts}
    assert {"0 sea0", "7 sea1"} <= names
    assert "14 sea2" not in names


def test_the_line_of_a_level_is_drawn_only_where_there_is_one() -> None:
    with_level, without = (
        {text.get_text() for text in volcano(TABLE, [], alpha=alpha).axes[0].texts} for alpha in (0.01, None)
    )
    assert with_level - without == {"p = 0.01"}


def test_scores_are_drawn_at_their_values_one_panel_per_set() -> None:
    evaluation = evaluation_of()
    figure = before_after(evaluation)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Sentences with “sea”\nn = 200",
        "Unrelated sentences\nn = 200",
        "Neighbour “ocean”\nn = 80",
    ]
    for axes, name in zip(figure.axes, evaluation.sizes, strict=True):
        drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1)
        assert drawn == sorted(row.value for row in evaluation.rows if row.set == name)


def test_equal_data_gives_equal_pictures_without_a_date() -> None:
    one, other = (to_png(volcano(TABLE, [0], title="a $ b_c $")) for _ in range(2))
    assert one == other
    assert one.startswith(b"\x89PNG")
    assert b"Matplotlib" not in one


# --- terminal tables


@pytest.mark.parametrize("width", [80, 100])
def test_no_cell_of_the_score_table_is_cut_off(width: int) -> None:
    text = rendered(scores_table(evaluation_of()), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    minus = "\N{MINUS SIGN}"
    line = next(line for line in text.splitlines() if line.startswith("Topic-word recall"))
    assert re.sub(r" +", " ", line).strip() == (
        f"Topic-word recall ↓ 81.2 3.5 {minus}77.8 [{minus}81.8, {minus}73.8] 33.0"
    )


def test_a_normalised_drop_over_noise_is_marked_and_explained() -> None:
    noisy, clean = evaluation_of(), evaluation_of([d for d in DELTAS if not d.denominator_within_noise])
    assert "(\N{MINUS SIGN}900%) †" in rendered(scores_table(noisy))
    assert "† Before and zero point cannot be told apart" in rendered(scores_table(noisy))
    assert "†" not in rendered(scores_table(clean))


def beside_our_deletion() -> Scores:
    """Our deletion, another method, a control and an attack, on how far the topic is closed."""
    closed: dict[str, tuple[float, Role]] = {
        "codebook": (0.0, "before"),
        "unlearned": (90.0, "after"),
        "silence": (40.0, "after"),
        "placebo": (2.0, "control"),
        "hint": (75.0, "attack"),
    }
    scores = evaluation_of([delta("forget", PROBABILITY, 80.0, 8.0, 4.0)], ("codebook", "unlearned"))
    rows = [Row(name, "forget", CLOSED, value, value - 1, value + 1, 9, "") for name, (value, _) in closed.items()]
    left = [
        Row(name, "forget", PROBABILITY, value, value, value, 9, "")
        for name, (value, _) in closed.items()
        if name not in ("codebook", "unlearned")
    ]
    return replace(scores, systems={n: role for n, (_, role) in closed.items()}, rows=[*scores.rows, *rows, *left])


def test_everything_that_is_compared_stands_beside_the_deletion() -> None:
    table = rendered(scores_table(beside_our_deletion()), 110)
    lines = [re.sub(r" +", " ", line).strip() for line in table.splitlines()]
    (head,) = (line for line in lines if line.startswith("Metric"))
    assert head.endswith("Norm. Hint Placebo Silence"), "each once, the deletion in its own column"
    assert any(line.endswith("75.0 2.0 40.0") for line in lines)


def test_the_summary_tells_methods_from_attacks() -> None:
    said = summary([], beside_our_deletion())
    assert any(s.startswith("With another method (silence)") and s.endswith("closed to 40%.") for s in said)
    assert any(s.startswith("Attacked (hint)") and s.endswith("closed to 75%.") for s in said)
    assert not any("(unlearned)" in s for s in said)


def test_one_system_alone_is_shown_with_its_intervals() -> None:
    text = rendered(scores_table(evaluation_of(systems=("codebook",))))
    assert "81.2 [79.8, 82.8]" in text
    assert "Change" not in text


def test_a_forget_set_table_tells_which_r_only_epsilon_made() -> None:
    text = rendered(forget_set_table(forget_set_of(TABLE, [0, 1])))
    assert re.search(r"^ *0 +300 +0 +\+19\.2\* ", text, re.MULTILINE)
    assert re.search(r"^ *7 +120 +10 +\+3\.6 ", text, re.MULTILINE)
    assert "sea0 9, salt 2" in text
    assert "* Absent from the control" in text
    assert "*" not in rendered(forget_set_table(forget_set_of(TABLE, [1])))


def test_a_long_forget_set_is_cut_and_says_so() -> None:
    assert "and 1 more code." in rendered(forget_set_table(forget_set_of(TABLE, [0, 1, 2]), limit=2))


def test_changed_words_are_underlined_and_only_those() -> None:
    console = Console(width=80, force_terminal=True, color_system=None, record=True, file=StringIO())
    console.print(examples_table(evaluation_of()))
    html = console.export_html(inline_styles=True)
    underlined = re.findall(r"<span[^>]*underline[^>]*>([^<]*)</span>", html)
    assert underlined == ["mer", "ville"]


def test_square_brackets_of_the_user_are_text() -> None:
    evaluation = evaluation_of()
    evaluation = replace(evaluation, topic=ATTACK, samples=[replace(evaluation.samples[0], prompt=ATTACK)])
    assert ATTACK in rendered(examples_table(evaluation), 120)
    assert ATTACK in rendered(forget_set_table(forget_set_of(TABLE, [0], ATTACK)), 120)
    assert ATTACK in rendered(ledger_table([entry(ATTACK, [1])], 10), 120)


def entry(topic: str, ids: list[int], committed: bool = False) -> dict[str, Any]:
    applied = "2026-11-23T21:30:00+00:00"
    return {
        "topic": topic,
        "ids": ids,
        "preset": "paper",
        "s_prime": 72,
        "applied": applied,
        "committed": committed,
    }


def test_the_ledger_counts_a_shared_code_once_and_tells_masked_from_committed() -> None:
    text = rendered(ledger_table([entry("sea", [1, 2, 3]), entry("storm", [3, 4]), entry("tax", [9], True)], 99))
    assert "4 of 99 rows are masked; 1 more are gone for good" in re.sub(r"\s+", " ", text)
    assert re.search(r"tax .*committed", text)
    assert re.search(r"storm .*masked", text)


def test_an_empty_ledger_says_that_nothing_is_forgotten() -> None:
    assert "Nothing is forgotten; the codebook has 99 codes." in rendered(ledger_table([], 99))


# --- summary


def test_the_summary_tells_a_clear_change_from_one_within_noise() -> None:
    sentences = summary([forget_set_of(TABLE, [0, 1])], evaluation_of())
    assert sentences[0] == (
        "To forget “sea”, 2 of the model's 8,192 codes (0.02%) were deleted. No weight was trained."
    )
    recall = next(s for s in sentences if "180 test sentences" in s)
    assert "81.2% before and 3.5% after" in recall
    assert recall.endswith("The topic's words became rarer, beyond what chance explains.")
    retained = next(s for s in sentences if "200 unrelated sentences" in s)
    assert retained.endswith("This change cannot be told from chance.")
    assert any("“ocean”" in s and "translated worse" in s for s in sentences)
    assert any("6.0% of the translations loop or are empty" in s for s in sentences)


def test_the_summary_admits_that_nothing_was_forgotten() -> None:
    failed = evaluation_of([delta("forget", "topic_word_recall", 80.0, 79.0, 4.0)])
    assert any("79.0% after" in s and "cannot be told from chance" in s for s in summary([], failed))


def test_key_figures_leave_out_what_was_not_measured() -> None:
    everything = [figure.label for figure in key_figures([forget_set_of(TABLE, [0])], evaluation_of())]
    expected = ["Codes deleted", "Topic-word recall", "chrF, unrelated sentences", "chrF, neighbour “ocean”"]
    assert everything == expected
    assert key_figures([], evaluation_of(systems=("codebook",))) == []


# --- report page


class Page(HTMLParser):
    """Checks that tags nest, and keeps tags with their attributes, and all text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " if tag in {"dt", "dd", "th", "td"} else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def report(folder: Path, **options: Any) -> Page:
    given = {"search": search_of(), "evaluation": evaluation_of(), "title": "Forgetting the sea", **options}
    return Page(write_report(folder, **given).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report."""
    path = tmp_path_factory.mktemp("reports") / "new" / "report"
    report(path, command="codeunlearn evaluate model")
    return path


@pytest.fixture
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_a_report_is_one_page_beside_its_json_and_pictures(folder: Path, page: Page) -> None:
    names = {"index.html", "forget_set.json", "evaluation.json", "volcano.png", "before_after.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert ForgetSet.load(folder / "forget_set.json") == search_of().forget_set
    assert Scores.load(folder / "evaluation.json") == evaluation_of()
    inlined = [str(img["src"]).removeprefix("data:image/png;base64,") for img in page.attributes("img")]
    assert [base64.b64decode(data) for data in inlined] == [
        (folder / name).read_bytes() for name in ("volcano.png", "before_after.png")
    ]
    assert "codeunlearn evaluate model" in page.text


def test_the_page_needs_no_script_and_nothing_from_outside(folder: Path, page: Page) -> None:
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    targets = [attrs[key] for _, attrs in page.tags for key in ("href", "src") if key in attrs]
    assert all(str(target).startswith(("#", "data:image/png;base64,")) for target in targets)
    css = (folder / "index.html").read_text(encoding="utf-8").split("</style>")[0]
    assert "url(" not in css
    assert "@import" not in css


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    assert all(img["alt"] and img["width"] and img["height"] for img in page.attributes("img"))
    assert len(page.attributes("caption")) == len(page.attributes("table")) > 0
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {str(a["href"])[1:] for a in page.attributes("a")} <= ids
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_text_of_the_user_is_escaped_wherever_it_appears(tmp_path: Path) -> None:
    evaluation = evaluation_of()
    hostile = {"codebook": f"un {ATTACK}", "unlearned": f"deux {ATTACK}"}
    evaluation = replace(
        evaluation,
        topic=ATTACK,
        words=(ATTACK,),
        samples=[Sample("forget", ATTACK, ATTACK, hostile)],
        details={ATTACK: ATTACK},
    )
    page = report(tmp_path, search=search_of(ATTACK), evaluation=evaluation, title=ATTACK, command=ATTACK)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(ATTACK) >= 8


def test_the_page_marks_the_words_that_changed(folder: Path) -> None:
    content = (folder / "index.html").read_text(encoding="utf-8")
    assert 'La <mark class="lost">mer</mark> est calme.' in content
    assert 'La <mark class="new">ville</mark> est calme.' in content
    assert re.search(r"<dt>Before and after</dt><dd[^>]*>La porte est rouge\.</dd>", content)


def test_the_page_shows_scores_seed_versions_and_limits(page: Page) -> None:
    text = re.sub(r"\s+", " ", page.text)
    assert "\N{MINUS SIGN}12.0 [\N{MINUS SIGN}14.0, \N{MINUS SIGN}10.0]" in text
    assert "(\N{MINUS SIGN}900%) †" in text
    assert "seed 3" in text
    assert "40 values" in text
    assert "torch 9.9" in text
    assert "chrf|v1" in text
    assert "builds a path around the codebook" in text
    assert "the rows are still in the file" in text


def test_the_same_report_twice_is_the_same_page(folder: Path, tmp_path: Path) -> None:
    report(tmp_path, command="codeunlearn evaluate model")
    assert (tmp_path / "index.html").read_bytes() == (folder / "index.html").read_bytes()


def test_a_search_alone_and_a_single_system_alone_have_their_pages(tmp_path: Path) -> None:
    searched = report(tmp_path / "s", evaluation=None)
    assert {path.name for path in (tmp_path / "s").iterdir()} == {
        "index.html",
        "forget_set.json",
        "volcano.png",
    }
    assert "Scores" not in [text.strip() for text in searched.text.splitlines()]
    scored = report(tmp_path / "e", search=None, evaluation=evaluation_of(systems=("plain",)))
    assert "Nothing was compared" in scored.text
    assert "Deleted codes" not in scored.text


def test_scores_that_are_undefined_are_reported_as_such_also_when_read_back(tmp_path: Path) -> None:
    nan = float("nan")
    undefined = delta("forget", "topic_word_recall", nan, nan, nan)
    evaluation = evaluation_of([undefined, *DELTAS[1:]], ("codebook", "unlearned"))
    report(tmp_path, evaluation=evaluation)
    for read in (evaluation, Scores.load(tmp_path / "evaluation.json")):
        page = report(tmp_path, evaluation=read)
        assert "in n/a% before and n/a% after" in page.text
        assert re.search(r"Topic-word recall.*n/a +n/a +n/a \[n/a, n/a\]", rendered(scores_table(read)))


def test_codes_are_shown_in_the_order_and_the_measures_of_their_recipe(tmp_path: Path) -> None:
    """The paper's by their test; those of the recommended recipe as they are deleted, with what that does."""
    by_test = forget_set_of(TABLE, [0, 1])
    effects = [{"topic_gain": 0.125, "retain_cost": 0.0003, "stability": 0.94}, {"topic_gain": 0.5, "stability": 1.0}]
    path = tuple(
        replace(e, rank=rank, q=0.001, **effect)
        for rank, (e, effect) in enumerate(zip(by_test.evidence, effects, strict=True), 1)
    )
    by_deletion = replace(by_test, evidence=path, preset="recommended", topic_left=0.02)
    pages = {
        name: report(tmp_path / name, search=None, forget_sets=[one]).text
        for name, one in (("test", by_test), ("deletion", by_deletion))
    }
    assert "strongest evidence first" in pages["test"]
    assert re.search(r"Code\s+Topic\s+Control\s+R\s+p\s+Fires", pages["test"])
    assert "in the order of deletion" in pages["deletion"]
    assert "strongest" not in pages["deletion"]
    assert re.search(r"Control\s+Rank\s+q\s+Takes\s+Costs\s+Stability\s+Fires", pages["deletion"])
    assert re.search(r"300\s+0\s+1\s+0\.001\s+12\.5 %\s+0\.0003\s+94 %\s", pages["deletion"])
    assert re.search(r"120\s+10\s+2\s+0\.001\s+50\.0 %\s+100 %\s", pages["deletion"])
    assert "takes 12.5% of the topic" in by_deletion.summary()[1]
    assert "R = " in by_test.summary()[1]


def test_several_forget_sets_are_each_saved_and_counted_once(tmp_path: Path) -> None:
    sets = [forget_set_of(TABLE, [0, 1], "sea"), forget_set_of(TABLE, [1, 2], "storm")]
    page = report(tmp_path, search=None, forget_sets=sets)
    assert "To forget “sea” and “storm”, 3 of the model's 8,192 codes" in page.text
    assert json.loads((tmp_path / "forget_set_2.json").read_text())["topic"] == "storm"


def test_a_report_replaces_an_earlier_one_as_a_whole_and_nothing_else(tmp_path: Path) -> None:
    sets = [forget_set_of(TABLE, [0, 1], "sea"), forget_set_of(TABLE, [1, 2], "storm")]
    report(tmp_path, search=None, forget_sets=sets)
    assert (tmp_path / "forget_set_2.json").exists()
    (tmp_path / "notes.txt").write_text("Mine.")
    report(tmp_path, search=None, evaluation=None, forget_sets=sets[:1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forget_set.json", "index.html", "notes.txt"]


def test_a_page_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>Mine</h1>")
    with pytest.raises(CodeUnlearnError, match=r"index\.html is no report of codeunlearn; choose another folder"):
        report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("topic", ["$x$", r"$\frac{", "_x_^2", "#"])
def test_a_figure_takes_no_name_for_a_formula(topic: str) -> None:
    evaluation = replace(evaluation_of(), topic=topic)
    for figure in (volcano(TABLE, [0], title=topic), before_after(evaluation)):
        assert to_png(figure)
        texts = figure.findobj(Text)
        assert any(topic in text.get_text() for text in texts)
        assert not any(text.get_parse_math() for text in texts)


def test_a_report_on_nothing_and_a_folder_that_is_a_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="nothing to report"):
        write_report(tmp_path, title="x")
    (tmp_path / "file").write_text("")
    with pytest.raises(CodeUnlearnError, match="is a file, not a folder; choose another place"):
        write_report(tmp_path / "file", search=search_of(), title="x")


# --- model card

RECORD: dict[str, Any] = {
    "kind": "joint",
    "data": {"data": "stories"},
    "base": "stories-plain",
    "pairs": {"data": "stories", "kept": 12_000, "skipped": {}},
    "environment": {"codeunlearn": "0.1.0", "torch": "2.13", "transformers": "5.23"},
    "build": {"seed": 0},
    "unexplained_variance": 0.1934,
    "config": {
        "epochs": 2.0,
        "optimizer": "adamw",
        "losses": "recommended",
        "seed": 5,
    },
    "source_prefix": "fr: ",
    "steps": 1500,
}
BOTTLENECK = {
    "num_codes": 8192,
    "code_dim": 256,
    "top_s": 8,
    "site": "encoder.block.2.layer.0",
    "deletion_mode": "refill",
}


def front_matter(card: str) -> dict[str, Any]:
    _, front, _ = card.split("---\n", 2)
    return yaml.safe_load(front)


def test_a_model_card_states_data_bottleneck_and_deletions() -> None:
    ledger = [entry("sea", [1, 2]), entry("a|b <i>", [3], committed=True)]
    bottleneck = {**BOTTLENECK, "ledger": ledger}
    card = model_card("stories-joint", RECORD, "CC0, by us.", bottleneck=bottleneck, license_name="mit")
    front = front_matter(card)
    assert front["language"] == ["en", "fr"]
    assert (front["library_name"], front["license"], front["base_model"]) == (
        "codeunlearn",
        "mit",
        "stories-plain",
    )
    assert "| sea | 2 | paper | 72 | 2026-11-23 | masked |" in card
    assert "| `a\\|b <i>` | 1 | paper | 72 | 2026-11-23 | committed |" in card
    assert "12,000 sentence pairs" in card
    assert "| codes in this file (K) | 8,192 |" in card
    assert '["fr: The lamp' in card
    assert "CC0, by us." in card
    assert "not a certificate" in card


def test_a_text_of_the_package_brings_its_attribution_into_the_card() -> None:
    for name, said in (("tatoeba", "CC BY 2.0 FR"), ("mine.tsv", "No attribution was given")):
        assert said in model_card("model", {**RECORD, "data": {"data": name}})
    assert "CC0, by us." in model_card("model", {**RECORD, "data": {"data": "tatoeba"}}, "CC0, by us.")


def test_a_card_claims_no_licence_and_no_base_model_that_it_does_not_know() -> None:
    plain = {key: RECORD[key] for key in ("data", "pairs", "environment", "config", "steps")}
    card = model_card("plain", {**plain, "kind": "plain", "base": "tiny"})
    assert {"license", "base_model"}.isdisjoint(front_matter(card))
    assert front_matter(card)["library_name"] == "transformers"
    assert "trained from scratch" in card
    assert "What is forgotten" not in card


def test_a_card_without_a_record_leaves_the_training_out() -> None:
    card = model_card("m", None, bottleneck={**BOTTLENECK, "ledger": [entry("sea", [1])]})
    assert front_matter(card) == {
        "library_name": "codeunlearn",
        "pipeline_tag": "translation",
        "tags": ["codeunlearn", "machine-unlearning", "vector-quantization", "interpretability", "translation"],
    }
    assert "## Training" not in card
    assert "| sea | 1 |" in card


def test_names_in_a_card_are_text(tmp_path: Path) -> None:
    name = 'x"](y)\n---\n```\n# z'
    hostile = "![p](https://evil.example/p.png)\n---\n<script>alert(1)</script>|"
    record = {**RECORD, "base": hostile, "pairs": {"data": hostile, "kept": 1}, "source_prefix": '"])\n```\n'}
    record["config"] = dict.fromkeys(
        ("epochs", "optimizer", "learning_rate", "batch_tokens", "losses", "seed"), hostile
    )
    ledger = [{**entry(hostile, [1]), "preset": hostile, "applied": hostile}]
    evaluation = replace(evaluation_of(), topic=hostile)
    card = model_card(name, record, bottleneck={**BOTTLENECK, "ledger": ledger}, scores=evaluation)
    assert front_matter(card)["base_model"] == " ".join(hostile.split())
    body = card.split("---\n", 2)[2]
    outside_code = re.sub(r"```python\n.*?\n```\n|(`+).*?\1(?!`)", "", body, flags=re.DOTALL)
    assert not re.search(r"<script|!\[|\]\(", outside_code)
    code = re.search(r"```python\n(.*?)\n```\n", body, flags=re.DOTALL)
    assert code is not None
    compile(code[1], "card", "exec")
    assert f"load_model({json.dumps(name)})" in code[1]
    for table in re.findall(r"(?m)(?:^\|.*\n)+", body):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_scores_in_a_card_are_one_table_with_equally_long_rows() -> None:
    card = model_card("m", RECORD, bottleneck=BOTTLENECK, scores=evaluation_of())
    rows = [line for line in card.split("## Scores")[1].split("##")[0].splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(DELTAS)
    assert {row.count("|") for row in rows} == {8}
    assert "Nothing: the codebook is complete." in card


def test_the_card_lies_beside_the_model_and_reads_its_shape_there(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="no saved model"):
        write_model_card(tmp_path, RECORD)
    (tmp_path / "config.json").write_text(json.dumps({"bottleneck": {**BOTTLENECK, "num_codes": 77}}))
    path = write_model_card(tmp_path, RECORD)
    assert path == tmp_path / "README.md"
    assert "| codes in this file (K) | 77 |" in path.read_text(encoding="utf-8")
