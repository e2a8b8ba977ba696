"""All cases of the tests, and generated inputs beside them: small changes of good files, each drawn from the seed."""

from __future__ import annotations

import json
import random
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import test_data_files
import test_model_folders
import test_state_files
import test_text
import test_yaml
import yaml
from case import Accepted, Case, Check, Either, Refused, Right, Verdict
from families import FAMILIES, cases, judge
from mutations import STRANGE, draw_changed_bytes, draw_changed_json, places, removed, replaced
from outcome import Outcome
from place import Place
from tally import Fault, Tally
from test_model_folders import WEIGHTS
from world import LINES, World

from codeunlearn.unlearning import ForgetSet

COLUMN: dict[Verdict, Fault] = {
    "traceback": "traceback",
    "wrongly accepted": "wrongly accepted",
    "wrong value": "wrongly accepted",
}
"""Where a verdict is counted; all others but ``right`` are something else."""


@dataclass(frozen=True)
class Generator:
    """A kind of generated inputs.

    Attributes:
        name: what is changed.
        number: how many are drawn.
        draw: one of them.
    """

    name: str
    number: int
    draw: Callable[[World, random.Random], Case]


def run(world: World, seed: int, progress: Callable[[str], None]) -> Iterator[Tally]:
    with tempfile.TemporaryDirectory(prefix="malformed-") as below:
        for family in FAMILIES:
            tally = Tally(f"case: {family.replace('_', ' ')}")
            for case in cases(family):
                progress(f"{tally.kind}: {case.name}")
                _add(tally, family, case, world, Path(below))
            yield tally
        for generator in GENERATORS:
            tally = Tally(f"generated: {generator.name}")
            for number in range(generator.number):
                progress(f"{tally.kind}: {number} of {generator.number}")
                case = generator.draw(world, random.Random(f"{seed} {generator.name} {number}"))
                _add(tally, generator.name, case, world, Path(below), number=number)
            yield tally


def _add(tally: Tally, family: str, case: Case, world: World, below: Path, **more: Any) -> None:
    judged = judge(family, case, world, below)
    fault = None if judged.verdict == "right" else COLUMN.get(judged.verdict, "something else")
    tally.add(fault, case.name, f"{judged.verdict}: {judged.why}", **more)


# Forget sets.


def forget_sets(world: World, generator: random.Random) -> Case:
    """Nothing in a set of the present format can change without being noticed."""
    text, what = draw_changed_json(json.loads(world.love.read_text()), generator)
    return _applied(text, what)


def forget_set_bytes(world: World, generator: random.Random) -> Case:
    content, what = draw_changed_bytes(world.love.read_bytes(), generator)
    return _applied(content, what)


def _applied(content: str | bytes, what: str) -> Case:
    """A changed set is refused, or is the same set: a space is gone, or a value that is the default."""
    return Case(
        what,
        lambda p: p.run("apply", p.world.model, p.write("love.json", content), "--out", "out"),
        Either(Refused(("love",)), Accepted(_is_the_same_set)),
    )


def _is_the_same_set(_: Outcome, place: Place) -> bool:
    return ForgetSet.load(place.path / "love.json") == ForgetSet.load(place.world.love)


# Folders of models.


def _in_model(spoil: Callable[[Place, Path], Any], what: str, right: Right, of: str = "model") -> Case:
    def do(place: Place) -> Outcome:
        folder = place.model(of=of)
        spoil(place, folder)
        return place.run("translate", folder, stdin=LINES)

    return Case(what, do, right)


def configurations(world: World, generator: random.Random) -> Case:
    """A value of another kind is refused, or changes nothing."""
    content = json.loads((world.model / "config.json").read_text())
    path = generator.choice([path for path in places(content) if path])
    value = generator.choice([value for value in STRANGE if type(value) is not type(_value(content, path))])
    gone = generator.random() < 0.2
    text = json.dumps(removed(content, path) if gone else replaced(content, path, value))
    what = f"{'.'.join(map(str, path))} {'gone' if gone else f'= {value!r}'[:50]}"
    right = Either(Refused(("model",)), Accepted(_answers_alike))
    return _in_model(lambda place, folder: (folder / "config.json").write_text(text), what, right)


def _value(content: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


def _answers_alike(outcome: Outcome, place: Place) -> bool:
    return outcome.shown == test_model_folders.translation_of(place.world.model, LINES)


def ledgers(world: World, generator: random.Random) -> Case:
    """Whatever the ledger says, the model that opens is one whose mask is what its ledger says."""
    content = json.loads((world.forgotten / "config.json").read_text())
    ledger = content["bottleneck"]["ledger"]
    while True:
        text, what = draw_changed_json(ledger, generator)
        if not what.startswith("cut"):
            break
    changed = json.loads(text)
    whole = {**content, "bottleneck": {**content["bottleneck"], "ledger": changed}}
    right = Either(Refused(("model",)), Accepted(_mask_is_ledger))
    return _in_model(lambda _, folder: (folder / "config.json").write_text(json.dumps(whole)), what, right, "forgotten")


def _mask_is_ledger(_outcome: Outcome, place: Place) -> bool:
    from codeunlearn.codebook import load_model

    model = load_model(place.path / "model")
    claimed = {code for entry in model.config.bottleneck.ledger for code in entry["ids"]}
    codebook = model.bottleneck.codebook
    return claimed == set(codebook.code_ids[codebook.deleted].tolist())


def bytes_of_weights(of: str, check: Check) -> Callable[[World, random.Random], Case]:
    def draw(world: World, generator: random.Random) -> Case:
        content, what = draw_changed_bytes((getattr(world, of) / WEIGHTS).read_bytes(), generator)
        right = Either(Refused(("model",)), Accepted(check))
        return _in_model(lambda _, folder: (folder / WEIGHTS).write_bytes(content), what, right, of)

    return draw


def json_of_model(name: str) -> Callable[[World, random.Random], Case]:
    def draw(world: World, generator: random.Random) -> Case:
        text, what = draw_changed_json(json.loads((world.model / name).read_text()), generator)
        right = Either(Refused(("model",)), Accepted(lambda o, _: o.shown.count("\n") == LINES.count(b"\n")))
        return _in_model(lambda _, folder: (folder / name).write_text(text), what, right)

    return draw


def _whole_lines(outcome: Outcome, _place: Place) -> bool:
    return outcome.shown.count("\n") == LINES.count(b"\n")


# Data, options, states, text.


def data(world: World, generator: random.Random) -> Case:
    name = generator.choice(["a.tsv", "a.jsonl", "a.csv", "a.tsv.gz"])
    text = test_data_files.tsv() if "tsv" in name else test_data_files.named("en", "fr")
    content = test_data_files.csv_text(test_data_files.PAIRS) if name == "a.csv" else text
    raw = __import__("gzip").compress(content.encode()) if name.endswith(".gz") else content.encode()
    changed, what = draw_changed_bytes(raw, generator)
    readable = Accepted(lambda o, _: all("\0" not in side and side.strip() for pair in o.result for side in pair))
    return Case(f"{name}: {what}", test_data_files.read(name, changed), Either(Refused(("a.",)), readable))


def options(world: World, generator: random.Random) -> Case:
    content = yaml.safe_dump({"limit": 50, "at-least": 5, "at-most": 700, "pos": "NOUN", "json": "-"}).encode()
    changed, what = draw_changed_bytes(content, generator)
    return Case(what, test_yaml.options(changed), Either(Refused(), Accepted()))


def plans(world: World, generator: random.Random) -> Case:
    path = generator.choice([path for path in places(test_yaml.GOOD) if path])
    value = generator.choice(STRANGE)
    what = f"{'.'.join(map(str, path))} = {value!r}"[:80]
    return Case(what, test_yaml.plan(replaced(test_yaml.GOOD, path, value)), Either(Refused(), Accepted()))


def states(world: World, generator: random.Random) -> Case:
    kind = generator.choice(["sweep.json", "stages/a.json", "scores", "sets"])
    origin = {
        "sweep.json": lambda: test_state_files.sweep_of(world) / "sweep.json",
        "stages/a.json": lambda: test_state_files.stage_of(world) / "stages" / "a.json",
        "scores": lambda: test_state_files.evaluation_of(world),
        "sets": lambda: test_state_files.sets_of(world),
    }[kind]()
    text, what = draw_changed_json(json.loads(origin.read_text()), generator)
    do = {
        "sweep.json": lambda: test_state_files.sweeps_on(test_state_files.of("sweep.json", text)),
        "stages/a.json": lambda: test_state_files.reproduces_on(test_state_files.of("stages/a.json", text)),
        "scores": lambda: test_state_files.loads("scores", lambda _: origin, test_state_files.of("", text)),
        "sets": lambda: test_state_files.loads("sets", lambda _: origin, test_state_files.of("", text)),
    }[kind]()
    return Case(f"{kind}: {what}", do, Either(Refused(), Accepted()))


def disguises(world: World, generator: random.Random) -> Case:
    """A topic word, otherwise written."""
    word = generator.choice(list(test_text.WORDS))
    letters = [
        generator.choice(test_text.SAME.get(letter, [letter]))
        + generator.choice(["", "", *test_text.INVISIBLE.values()])
        for letter in word
    ]
    text = unicodedata.normalize(generator.choice(["NFC", "NFD", "NFKC", "NFKD"]), "".join(letters))
    sentence = test_text.WORDS[word].format(generator.choice(test_text.AROUND[:8]).format(text))
    what = " ".join(f"{ord(c):04X}" for c in text)
    return Case(f"{word}: {what}", test_text.holds(sentence, word), Accepted(test_text.IN))


GENERATORS = [
    Generator("forget sets", 200, forget_sets),
    Generator("bytes of forget sets", 80, forget_set_bytes),
    Generator("configurations", 160, configurations),
    Generator("ledgers", 120, ledgers),
    Generator("bytes of weights", 60, bytes_of_weights("model", _whole_lines)),
    Generator("bytes of masked weights", 60, bytes_of_weights("forgotten", _mask_is_ledger)),
    Generator("tokenizers", 60, json_of_model("tokenizer.json")),
    Generator("settings of tokenizers", 40, json_of_model("tokenizer_config.json")),
    Generator("settings of generation", 40, json_of_model("generation_config.json")),
    Generator("data", 140, data),
    Generator("options", 60, options),
    Generator("reproductions", 100, plans),
    Generator("states", 120, states),
    Generator("disguises", 200, disguises),
]  # fmt: skip
