"""A YAML file sets what it says, or is refused in one sentence that names it; nothing in it is a path out of the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from case import Accepted, Case, Either, expect, made_always, refused, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import STRANGE, places, removed, replaced
from outcome import Outcome
from place import Place

BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def options(text: str | bytes | None, *more: object, name: str = "o.yaml") -> Callable[[Place], Outcome]:
    """`topics`, with options from a YAML file of this text."""

    def do(place: Place) -> Outcome:
        path = place.path / name if text is None else place.write(name, text)
        return place.run("topics", "--data", place.world.pairs, "--at-least", 5, "--json", "-", "--config", path, *more)

    return do


def searching(text: str) -> Callable[[Place], Outcome]:
    """`forget`, with options from a YAML file."""

    def do(place: Place) -> Outcome:
        path = place.write("o.yaml", text)
        more = ("--preset", "paper", "--s-prime", 4, "--minimum", 5, "--alpha", 0.3, "--out", "out.json")
        return place.run("forget", place.world.model, "--data", place.world.pairs, *more, "--config", path)

    return do


def applying(text: str) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        path = place.write("o.yaml", text.replace("WORLD", str(place.world.root)))
        return place.run("apply", place.world.model, place.world.love, "--out", "out", "--config", path)

    return do


def translating(text: str) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        path = place.write("o.yaml", text.replace("WORLD", str(place.world.root)))
        return place.run("translate", place.world.model, "--config", path, stdin=b"a dog\n")

    return do


def topics_with_limit(limit: int | None) -> Callable[[Outcome, Place], bool]:
    return lambda outcome, _place: f"{limit or 1200:,} pairs" in outcome.said


ANY = Accepted()
GOOD: dict[str, Any] = {
    "text": {"data": "stories", "limit": 3000},
    "base": {"size": "tiny", "text": [{"data": "stories", "limit": 2000}], "without_topics": True, "train": {"max_steps": 6}},
    "plain": {"max_steps": 6, "learning_rate": 0.001},
    "joint": {"train": {"max_steps": 6}, "bottleneck": {"num_codes": 256, "code_dim": 32, "top_s": 2}, "build": {"fit_tokens": 2000}},
    "topics": [{"word": "love", "neighbours": ["like"]}, {"word": "Julien", "neighbours": ["Pierre"]}],
    "gold": ["Julien"],
    "seeds": [0, 1],
    "ablations": {"variants": [{"name": "drop", "mode": "drop"}, {"name": "narrow", "bottleneck": {"code_dim": 16}}]},
    "search": {"size": 24, "s_primes": [2, 8]},
    "scores": {"size": 5, "minimum": 2, "whole": 8, "s_prime": 2, "example_s_primes": [2, 8], "placebo_draws": 2},
}  # fmt: skip


def plan(content: Any, *more: object) -> Callable[[Place], Outcome]:
    """The stages of a reproduction with this configuration; nothing is made."""

    def do(place: Place) -> Outcome:
        text = content if isinstance(content, (str, bytes)) else yaml.safe_dump(content)
        return place.run("reproduce", place.write("r.yaml", text), "--out", "out", "--device", "cpu", "--plan", *more)

    return do


def at(path: str, value: Any) -> dict[str, Any]:
    """The good configuration with another value."""
    keys = tuple(int(key) if key.isdigit() else key for key in path.split("."))
    return replaced(GOOD, keys, value)


def outside(word: str) -> Callable[[Place], Outcome]:
    """A stage whose name leads out of the folder, beside which a file lies that must stay."""

    def do(place: Place) -> Outcome:
        from codeunlearn.experiments.stages import Stage, StageStore

        name = word.replace("PLACE", str(place.path))
        place.write("victim/0.json", "{}")
        place.write("out/stages/kept.json", "{}")
        stage = Stage(f"{name}/0", {}, (), lambda: {"made": 1}, place.path / "out" / "topics" / name / "0")

        def run() -> None:
            StageStore(place.path / "out", redo=[f"{name}/0"]).run([stage])

        return place.call(run)

    return do


def place_of(path: str, value: Any) -> str:
    """What the refusal has to name: the key, in the singular too, or one within it."""
    within = list(value) if isinstance(value, dict) else []
    return "|".join([path.rpartition(".")[2].removesuffix("s"), *within])


NOT_OPTIONS: dict[str, str | bytes | None] = {
    "no file": None,
    "a list": "- limit: 5\n",
    "a text": "limit\n",
    "a number": "5\n",
    "not YAML": "limit: [5\n",
    "a tab": "limit:\n\t- 5\n",
    "an unknown key": "limits: 5\n",
    "a key that is a number": "5: 5\n",
    "a key that is a list": "[1, 2]: 5\n",
    "a key that is a truth": "yes: 5\n",
    "code": 'limit: !!python/object/apply:builtins.exec [\'open("ran", "w")\']\n',
    "an unknown tag": "limit: !thing 5\n",
    "latin-1": "limit: 5 # \xe9\n".encode("latin-1"),
    "zero bytes": bytes(30),
    "random bytes": bytes(range(256)),
    "deep nesting": "limit: " + "[" * 20_000,
    "deep nesting that is closed": "limit: " + "[" * 5_000 + "]" * 5_000,
    "a 5,000-digit number": "limit: " + "9" * 5000 + "\n",
    "a list of itself": "limit: &a [*a]\n",
    "a key twice": "limit: 5\nlimit: 6\n",
    "two documents": "limit: 5\n---\nlimit: 6\n",
    "a billion laughs": BILLION + "limit: *i\n",
}
LIMITS = ["x", "5.5", 5.5, True, -1, 0, [5], {"a": 5}, "", "0x10", "5 000", 10**30, float("nan"), float("inf")]
WORDS = [
    "../victim",
    "..",
    ".",
    "a/b",
    "/tmp/x",
    "love/0",
    "a\\b",
    "",
    " ",
    "lo\0ve",
    "x" * 300,
    "~",
    "...",
    "love/../../x",
    "\n",
]
CASES = [
    *some(Case(f"options: {name}", options(text), refused("o.yaml")) for name, text in NOT_OPTIONS.items()),
    *some(Case(f"limit: {value!r}", options(yaml.safe_dump({"limit": value})), refused("limit")) for value in LIMITS),
    Case("limit: 2001-01-01", options("limit: 2001-01-01\n"), refused("limit")),
    Case("limit: 50", options("limit: 50\n"), Accepted(topics_with_limit(50))),
    Case("limit: '50'", options("limit: '50'\n"), Either(refused("limit"), Accepted(topics_with_limit(50)))),
    Case("limit: null", options("limit: null\n"), Accepted(topics_with_limit(None))),
    Case("limit: 1e3", options("limit: 1e3\n"), Either(refused("limit"), Accepted(topics_with_limit(1000)))),
    *(Case(f"limit: {value}", options(f"limit: {value}\n"), refused("limit")) for value in ("1_000", "017", "1:30", "0x10", "0b11", "0o17", "1:30.5", "٥٠", "5x", "truely")),
    *(Case(f"limit: {value}", options(f"limit: {value}\n"), refused("o.yaml")) for value in ("!!int 017", "!!int 1:30", "!!int x", "!!bool x", "!!bool yes", "!!int [5]", "!!float 1_0.5")),
    *(Case(f"limit: {value}", options(f"limit: {value}\n"), Accepted(topics_with_limit(50))) for value in ("+50", "!!int 50")),
    *(Case(f"topic: {value}", searching(f"topic: {value}\n"), refused(value, "topic")) for value in ("truelove", "falsehoods")),
    *(Case(f"reproduce: title {value}", plan(yaml.safe_dump(GOOD) + f"title: {value}\n"), ANY) for value in ("1:30", "017", "1_000", "2001-01-01", "truelove")),
    Case("itself", options("config: o.yaml\n"), Either(refused("config"), ANY)),
    Case("no content", options(""), ANY),
    Case("only a comment", options("# nothing\n"), ANY),
    Case("a byte order mark", options("\ufefflimit: 50\n"), Accepted(topics_with_limit(50))),
    Case("utf-16", options("limit: 50\n".encode("utf-16")), Either(refused("o.yaml"), Accepted(topics_with_limit(50)))),
    Case("the command line overrules it", options("limit: 50\n", "--limit", 40), Accepted(topics_with_limit(40))),
    Case("at-least with a hyphen", options("at-most: 700\n"), ANY),
    Case("a folder", lambda p: p.run("topics", "--data", p.world.pairs, "--config", p.path), refused()),
    Case("a pipe", lambda p: (os.mkfifo(p.path / "o.yaml"), options(None)(p))[1], refused("o.yaml")),
    Case("a device", lambda p: p.run("topics", "--data", p.world.pairs, "--config", "/dev/null"), refused("/dev/null")),
    Case("json: 5", options("json: 5\n"), Either(refused("json"), ANY)),
    Case("json: a list", lambda p: p.run("topics", "--data", p.world.pairs, "--config", p.write("o.yaml", "json: [a]\n")), refused("json")),
    Case("data: a mapping", lambda p: p.run("topics", "--config", p.write("o.yaml", "data: {a: 1}\n")), refused("data")),
    Case("data: null", lambda p: p.run("topics", "--config", p.write("o.yaml", "data: null\n")), refused("data")),
    Case("data: with a zero byte", lambda p: p.run("topics", "--config", p.write("o.yaml", 'data: "a\\0b.tsv"\n')), refused()),
    Case("topic: love", searching("topic: love\n"), ANY),
    Case("topic: no", searching("topic: no\n"), Either(refused("topic"), Accepted(lambda o, p: '"topic": "no"' in (p.path / "out.json").read_text()))),
    Case("topic: yes", searching("topic: yes\n"), refused("topic")),
    Case("topic: 1", searching("topic: 1\n"), refused()),
    Case("topic: null", searching("topic: null\n"), refused("topic")),
    Case("topic: a list", searching("topic: [love]\n"), refused("topic")),
    Case("seed: 1.5", searching("topic: love\nseed: 1.5\n"), refused("seed")),
    Case("seed: true", searching("topic: love\nseed: true\n"), refused("seed")),
    Case("preset: off, overruled", searching("topic: love\npreset: off\n"), Accepted()),
    Case("out: a list", lambda p: p.run("apply", p.world.model, p.world.love, "--config", p.write("o.yaml", "out: [a]\n")), refused("out")),
    Case("out: a number", lambda p: p.run("apply", p.world.model, p.world.love, "--config", p.write("o.yaml", "out: 5\n")), Either(refused("out"), Accepted(lambda o, p: (p.path / "5").is_dir()))),
    Case("commit: yes", applying("commit: yes\n"), Accepted(lambda o, p: "cannot be undone" in o.said)),
    Case("commit: no", applying("commit: no\n"), Accepted(lambda o, p: "Undo" in o.said)),
    Case("commit: 'no'", applying("commit: 'no'\n"), Either(refused("commit"), Accepted(lambda o, p: "Undo" in o.said))),
    Case("commit: maybe", applying("commit: maybe\n"), refused("commit")),
    Case("commit: 5", applying("commit: 5\n"), refused("commit")),
    Case("commit: a list", applying("commit: [yes]\n"), refused("commit")),
    Case("mode: off", applying("mode: off\n"), refused("mode")),
    Case("model: another", applying("model: WORLD/other\n"), Either(refused("model"), ANY)),
    Case("forget: a file", translating("forget: WORLD/love.json\n"), Either(refused("forget"), ANY)),
    Case("forget: a list", translating("forget: [WORLD/love.json, WORLD/happy.json]\n"), ANY),
    Case("forget: a mapping", translating("forget: {a: WORLD/love.json}\n"), refused("forget")),
    Case("forget: numbers", translating("forget: [1]\n"), refused()),
    Case("beams: 0", translating("beams: 0\n"), refused("beams")),
    Case("help: yes", translating("help: yes\n"), Either(refused("help"), ANY)),
    Case("reproduce", plan(GOOD), Accepted(lambda o, p: "love/0/search" in o.shown)),
    *some(Case(f"reproduce: {name}", plan(text), refused("r.yaml")) for name, text in NOT_OPTIONS.items() if text is not None),
    Case("reproduce: nothing", plan(""), refused("r.yaml")),
    *some(Case(f"reproduce: topic {word!r}", plan(at("topics.0", word)), refused()) for word in WORDS),
    *some(Case(f"reproduce: topic as a mapping {word!r}", plan(at("topics.0.word", word)), refused()) for word in WORDS[:6]),
    *some(Case(f"reproduce: variant {word!r}", plan(at("ablations.variants.0.name", word)), refused()) for word in WORDS if word not in ("~", "...", "a\\b")),
    *some(
        Case(f"reproduce: {path} = {value!r}", plan(at(path, value)), refused(place_of(path, value)))
        for path, values in {
            "topics": [None, 5, [], "", [5], [None], [[]], ["love", "love"], {}, [{"forms": ["a"]}], [True]],
            "seeds": [None, [], "x", [0.5], [None], [True], [0, 0]],
            "text": [None, [], {}, {"limit": 5}, {"data": 5}, {"data": "stories", "limit": "x"}, {"data": "stories", "limit": -1}, {"data": "stories", "colour": 1}],
            "base": [None, 5, {}, {"size": "huge"}, {"size": 5}, {"model": 5}],
            "search": [None, 5, [], {"s_primes": []}, {"s_primes": [0]}, {"s_primes": ["x"]}, {"preset": "x"}, {"size": -1}, {"size": "x"}, {"colour": 1}],
            "scores": [None, 5, [], {"colour": 1}],
            "scores.beams": ["x", 0, -1, 1.5],
            "scores.placebo_draws": ["x", -1, 1.5],
            "joint": [None, 5, []],
            "joint.train": [None, 5, [], {"colour": 1}],
            "joint.bottleneck": [None, 5, {"colour": 1}],
            "joint.train.max_steps": ["x", 1.5, True, -1, [1]],
            "joint.bottleneck.num_codes": ["x", 0, -1, 1.5, None],
            "joint.bottleneck.top_s": ["x", 0, -1, 257],
            "plain": [None, 5, [], {"colour": 1}],
            "plain.learning_rate": ["x", None, [1], True, -1],
            "gold": [5, ["none"], None, [5]],
            "ablations": [5, []],
            "ablations.variants": [5, [5], [{}], {}],
            "title": [5, None, []],
            "concept": [5, "none"],
            "models_per_seed": ["x", 5],
            "colour": [5],
        }.items() for value in values
    ),
    *some(Case(f"reproduce: --set {entry}", plan(GOOD, "--set", entry), refused()) for entry in (
        "x", "=5", ".=5", "a..b=5", "colour=1", "joint.train.max_steps=x", "topics=..", "seeds.0=x", "text=5", "joint=5", "a=[", "joint.train.max_steps=" + "9" * 5000,
        "text.limit=!!python/object/apply:os.getcwd []")),
    *some(Case(f"reproduce: --redo {name!r}", plan(GOOD, "--redo", name), Either(refused(), ANY)) for name in ("../x", "..", "/etc", "", "none", "love/../..")),
    *some(Case(f"reproduce: stage {word!r}", outside(word), refused()) for word in ("../../victim", "..", "../stages", "a/../../../victim", "PLACE/victim", "a\0b", "")),
]  # fmt: skip


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_a_yaml_file_sets_what_it_says_or_is_refused(case: Case, place: Place) -> None:
    expect(case, place)


def test_a_stage_that_leads_outside_deletes_nothing_there(place: Place) -> None:
    outside("../../victim")(place)
    assert (place.path / "victim" / "0.json").read_text() == "{}"


INNER = [path for path in places(GOOD) if path]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_configuration_with_any_value_of_another_kind_is_a_plan_or_one_sentence(
    data: st.DataObject, place: Place
) -> None:
    path = data.draw(st.sampled_from(INNER), label="where")
    value = data.draw(st.sampled_from([*STRANGE, "gone"]), label="what")
    content = removed(GOOD, path) if value == "gone" else replaced(GOOD, path, value)
    outcome = plan(yaml.safe_dump(content))(place)
    assert outcome.kind in ("done", "refused"), outcome.trace


@given(text=st.text(max_size=40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_options_or_one_sentence(text: str, place: Place) -> None:
    outcome = options(text.encode("utf-8", "surrogatepass"))(place)
    assert outcome.kind in ("done", "refused"), outcome.trace
