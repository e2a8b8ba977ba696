"""A forget set is used as it was made, or refused in one sentence; nothing is left where the result was to go."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from case import Accepted, Case, Either, expect, made_always, refused, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import changed_json
from outcome import Outcome
from place import Edit, Place
from world import first_version_fingerprint

from codeunlearn.unlearning import ForgetSet

K, S = 64, 4
HUGE = "7" * 5000


def applied(make: Callable[[Place], Path]) -> Callable[[Place], Outcome]:
    return lambda place: place.run("apply", place.world.model, make(place), "--out", "out")


def changed(edit: Edit) -> Callable[[Place], Outcome]:
    """The good forget set with something changed in it."""
    return applied(lambda place: place.json(place.world.love, edit))


def written(content: str | bytes) -> Callable[[Place], Outcome]:
    return applied(lambda place: place.write("love.json", content))


def old(edit: Edit) -> Callable[[Place], Outcome]:
    """A forget set of the first format with something changed in it, where no digest betrays it."""
    return applied(lambda place: place.json(first_version(place), edit))


def put(name: str, value: Any) -> Callable[[Place], Outcome]:
    return changed(lambda content: {**content, name: value})


def text_with(name: str, value: str) -> Callable[[Place], Outcome]:
    """As `put`, for a value that Python's writer would not write, in a set of the first format."""

    def make(place: Place) -> Path:
        content = json.loads(first_version(place).read_text())
        return place.write("old.json", json.dumps({**content, name: "HERE"}).replace('"HERE"', value))

    return applied(make)


def evidence(edit: Edit) -> Callable[[Place], Outcome]:
    return changed(lambda content: edit(content["evidence"]))


def old_evidence(**values: Any) -> Callable[[Place], Outcome]:
    return old(lambda content: content["evidence"][0].update(values))


def other_ids(edit: Callable[[list[int]], Any]) -> Callable[[Place], Outcome]:
    """Other ids, without evidence that would betray them."""
    return changed(lambda content: {**content, "ids": edit(content["ids"]), "evidence": []})


def deletes(place: Place, name: str = "out") -> list[int]:
    """Rows that are deleted in a saved model."""
    from codeunlearn.codebook import load_model

    return sorted(load_model(place.path / name).bottleneck.codebook.deleted.nonzero().flatten().tolist())


def deletes_the_set(_outcome: Outcome, place: Place) -> bool:
    return deletes(place) == sorted(place.world.ids)


def cut(share: float) -> Callable[[Place], Outcome]:
    def make(place: Place) -> Path:
        content = place.world.love.read_bytes()
        return place.write("love.json", content[: int(len(content) * share)])

    return applied(make)


def special(make: Callable[[Path], Any]) -> Callable[[Place], Outcome]:
    def path(place: Place) -> Path:
        make(place.path / "love.json")
        return place.path / "love.json"

    return applied(path)


def first_version(place: Place) -> Path:
    """As codeunlearn 0.1 wrote it: no digest, and a fingerprint of the weights alone."""
    from codeunlearn.codebook import load_model

    ids = place.world.ids
    content = {
        "format": "codeunlearn-forget-set",
        "format_version": 1,
        "topic": "love",
        "ids": ids,
        "fingerprint": first_version_fingerprint(load_model(place.world.model)),
        "forms": ["love", "loves"],
        "target_forms": ["aimer"],
        "evidence": [
            {"id": i, "topic": 9, "control": 1, "f_topic": 0.9, "f_control": 0.1, "r": 3.2, "p": 0.01, "top_tokens": [["love", 9]]}
            for i in ids
        ],
        "preset": "paper",
        "preset_options": {"name": "paper", "alpha": 0.3},
        "s_prime": 4,
        "seed": 0,
        "num_codes": K,
        "n_topic": 10,
        "n_control": 10,
        "codes_tested": 60,
        "expected_false_positives": 3.0,
        "created": "2025-01-01T00:00:00+00:00",
        "version": "0.1.0",
        "topic_left": None,
    }  # fmt: skip
    return place.write("old.json", json.dumps(content))


def linked(place: Place) -> Path:
    link = place.path / "link.json"
    link.symlink_to(place.world.love)
    return link


NOT_JSON: dict[str, str | bytes] = {
    "empty file": b"",
    "only spaces": b"  \n",
    "not JSON": b"ids: [1, 2]",
    "null": b"null",
    "a list": b"[]",
    "a number": b"3",
    "a text": b'"love"',
    "an empty object": b"{}",
    "zero bytes": bytes(100),
    "random bytes": bytes(range(256)),
    "latin-1": '{"topic": "été"}'.encode("latin-1"),
    "utf-16": '{"topic": "love"}'.encode("utf-16"),
    "gzip": gzip.compress(b'{"topic": "love"}'),
    "deep nesting": b"[" * 100_000,
    "deep nesting of objects": b'{"a":' * 50_000,
    "two objects": b"{} {}",
    "a 5,000-digit number": b"1" * 5000,
}
FIELDS: dict[str, list[Any]] = {
    "format": [None, 5, "", "codeunlearn-sweep", ["codeunlearn-forget-set"]],
    "format_version": [None, "1", "newest", 99, -1, 1.5, [1], True],
    "ids": [None, 5, "1, 2", {}, [], ["1", "2"], [1.0, 2.0], [True], [[1]], [None], [-1, 2], [1, 1], [2**63], [2**70]],
    "fingerprint": [None, 5, "", "x", ["a"]],
    "topic": [None, 5, ["love"], {}],
    "forms": [None, "love", 5, [1], [["love"]], {"a": 1}],
    "target_forms": [None, "aimer", [1], [None]],
    "evidence": [None, 5, "x", {}, [1], [None], ["x"], [{}], [[]]],
    "preset": [None, 5, []],
    "preset_options": [None, 5, [], "x"],
    "s_prime": [None, "8", -1, 1.5, [8], True],
    "seed": [None, "0", 1.5, [], True],
    "num_codes": [None, "64", -1, 1.5, []],
    "n_topic": [None, "9", -1, 1.5],
    "n_control": [None, "9", -1],
    "codes_tested": [None, "9", -1],
    "expected_false_positives": ["x", [], True],
    "topic_left": ["x", [], -1],
    "created": [None, 5, []],
    "version": [None, 5, []],
}
EVIDENCE: dict[str, list[Any]] = {
    "id": [None, "1", 1.0, True, -1, 63],
    "topic": [None, "9", -1, 1.5],
    "control": [None, "x", -1],
    "f_topic": [None, "0.5", [], 7.0, -1],
    "p": ["x", -1, 2.0],
    "r": ["x", []],
    "q": ["x", []],
    "top_tokens": [None, 5, "ab", ["ab"], [["a"]], [["a", "b"]], [[1, 2]], [["a", 1, 2]], [["a", None]]],
    "rank": ["1", 1.5],
    "alignment": ["x", {}],
}
CASES = [
    *some(Case(name, written(content), refused("love.json")) for name, content in NOT_JSON.items()),
    *some(Case(f"cut at {share}", cut(share), refused("love.json")) for share in (0.1, 0.25, 0.5, 0.75, 0.99, 0.9998)),
    *some(
        Case(f"{name} = {str(value)[:30]!r}", old(lambda c, n=name, v=value: {**c, n: v}), refused("old|love" if name in ("ids", "fingerprint") else "old.json"))
        for name, values in FIELDS.items()
        for value in values
    ),
    *some(
        Case(f"evidence: {name} = {value!r}", old_evidence(**{name: value}), refused("old.json"))
        for name, values in EVIDENCE.items()
        for value in values
    ),
    *some(Case(f"without {name}", old(lambda c, n=name: {k: v for k, v in c.items() if k != n}), refused("old.json")) for name in ("format", "topic", "ids", "fingerprint")),
    *some(
        Case(f"{name} = {value[:12]}", text_with(name, value), refused("old.json"))
        for name, value in (
            ("expected_false_positives", "NaN"),
            ("topic_left", "Infinity"),
            ("topic_left", "1e999"),
            ("seed", HUGE),
            ("s_prime", HUGE),
            ("preset_options", "{" + '"a":{' * 20_000),
        )
    ),
    Case("p = NaN", old_evidence(p=float("nan")), refused("old.json")),
    Case("no codes", other_ids(lambda _: []), refused("love.json")),
    Case("all codes", other_ids(lambda _: list(range(K))), refused("love")),
    Case("fewer than S codes left", other_ids(lambda _: list(range(K - S + 1))), refused("love")),
    Case("a code beyond the codebook", other_ids(lambda ids: [*ids, K]), refused("love")),
    Case("another order", other_ids(lambda ids: ids[::-1]), refused("love.json")),
    Case("one code less", other_ids(lambda ids: ids[:-1]), refused("love.json")),
    Case("one code more", other_ids(lambda ids: [*ids, next(i for i in range(K) if i not in ids)]), refused("love.json")),
    Case("one code less, with its evidence", changed(lambda c: {**c, "ids": c["ids"][:-1], "evidence": c["evidence"][:-1]}), refused("love.json")),
    Case("one row of evidence less", evidence(lambda rows: rows.remove(rows[-1])), refused("love.json")),
    Case("one row of evidence twice", evidence(lambda rows: rows.append(rows[0])), refused("love.json")),
    Case("evidence in another order", evidence(lambda rows: rows.reverse()), refused("love.json")),
    Case("another topic", put("topic", "hate"), refused("love.json")),
    Case("another number of codes", put("num_codes", K - 1), refused("love.json")),
    Case("another fingerprint", put("fingerprint", "0" * 64), refused("love")),
    Case("old, no codes", old(lambda c: {**c, "ids": [], "evidence": []}), refused("old")),
    Case("old, all codes", old(lambda c: {**c, "ids": list(range(K)), "evidence": []}), refused("love|codes")),
    Case("old, fewer than S codes left", old(lambda c: {**c, "ids": list(range(K - S + 1)), "evidence": []}), refused("love|codes")),
    Case("old, a code beyond the codebook", old(lambda c: {**c, "ids": [1, K], "evidence": []}), refused("love")),
    Case("old, a lone surrogate", old(lambda c: {**c, "topic": "lo\ud800ve"}), refused("old.json")),
    Case("another preset", put("preset", "recommended"), refused("love.json")),
    Case("a lone surrogate", put("topic", "lo\ud800ve"), refused("love.json")),
    Case("made for another model", lambda p: p.run("apply", p.world.other, p.world.love, "--out", "out"), refused("love")),
    Case("no such file", applied(lambda place: place.path / "none.json"), refused("none.json")),
    Case("a folder", special(lambda path: path.mkdir()), refused("love.json")),
    Case("a pipe", special(os.mkfifo), refused("love.json")),
    Case("a link to nowhere", special(lambda path: path.symlink_to("nowhere")), refused("love.json")),
    Case("a link to itself", special(lambda path: path.symlink_to("love.json")), refused("love.json")),
    Case("a device", applied(lambda _: Path("/dev/null")), refused("/dev/null")),
    Case("a name too long", applied(lambda place: place.path / ("x" * 300)), refused("xxx")),
    Case("a model in its place", applied(lambda place: place.world.model / "model.safetensors"), refused("model.safetensors")),
    Case("a configuration in its place", applied(lambda place: place.world.model / "config.json"), refused("config.json")),
    Case("sets of two models", lambda p: p.run(
        "apply", p.world.model, p.world.love, p.json(p.world.happy, lambda c: {**c, "fingerprint": "0" * 64}), "--out", "out"
    ), refused()),
    Case("shown when damaged", lambda p: p.run("show", p.json(p.world.love, lambda c: {**c, "ids": "x"})), refused("love.json")),
    Case("translated with when damaged", lambda p: p.run(
        "translate", p.world.model, "--forget", p.json(p.world.love, lambda c: {**c, "ids": "x"}), stdin=b"a\n"
    ), refused("love.json")),
    Case("as it is", applied(lambda place: place.world.love), Accepted(deletes_the_set)),
    Case("written in another layout", changed(lambda content: dict(reversed(content.items()))), Accepted(deletes_the_set)),
    Case("with a byte order mark", applied(
        lambda place: place.write("love.json", b"\xef\xbb\xbf" + place.world.love.read_bytes())
    ), Either(refused("love.json"), Accepted(deletes_the_set))),
    Case("through a link", applied(linked), Accepted(deletes_the_set)),
    Case("given twice", lambda p: p.run("apply", p.world.model, p.world.love, p.world.love, "--out", "out"), Accepted(deletes_the_set)),
    Case("of the first version", applied(first_version), Accepted(deletes_the_set)),
    Case("with a key of a newer version", put("colour", "red"), Either(refused("love.json"), Accepted(deletes_the_set))),
]  # fmt: skip


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_a_forget_set_is_used_as_it_was_made_or_refused(case: Case, place: Place) -> None:
    expect(case, place)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_a_forget_set_gets_past(data: st.DataObject, place: Place) -> None:
    content = json.loads(place.world.love.read_text())
    path = place.write("love.json", data.draw(changed_json(content), label="file"))
    outcome = place.run("show", path)
    if outcome.kind == "done":  # what was changed says nothing of the set
        assert ForgetSet.load(path) == ForgetSet.load(place.world.love)
    else:
        assert outcome.kind == "refused", f"{outcome.kind}: {outcome.trace or outcome.shown}"
        assert outcome.names("love.json")
