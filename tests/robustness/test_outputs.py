"""Where a result goes is checked before the work: what cannot be replaced is named, and a failing command leaves nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from case import Accepted, Case, Check, Either, Refused, expect, made_always, refused, some
from outcome import Outcome
from place import Place
from world import World

SEARCH = ("--preset", "paper", "--s-prime", 4, "--minimum", 5, "--alpha", 0.3)
SIZES = ("--eval-size", 6, "--minimum", 2, "--device", "cpu")


def apply(world: World) -> tuple[object, ...]:
    return "apply", world.model, world.love


def restore(world: World) -> tuple[object, ...]:
    return "restore", world.forgotten


def forget(world: World) -> tuple[object, ...]:
    return "forget", world.model, "--topic", "love", "--data", world.pairs, *SEARCH


def evaluate(world: World) -> tuple[object, ...]:
    return "evaluate", world.model, "--topic", "love", "--data", world.pairs, *SIZES


def sweep(world: World) -> tuple[object, ...]:
    words = ("--target-words", "love=aimer,aime")
    return "sweep", world.model, "--topics", "love", "--data", world.pairs, *words, "--s-primes", "2", *SIZES


def build(world: World) -> tuple[object, ...]:
    shape = ("--num-codes", 32, "--code-dim", 8, "--top-s", 2, "--layer", 1, "--fit-tokens", 500)
    return "build", "--data", world.pairs, "--base", world.base, *shape, "--device", "cpu"


def train(world: World) -> tuple[object, ...]:
    data = ("--data", world.pairs, "--limit", 100, "--base", world.base, "--device", "cpu")
    return "train", "--plain", *data, "--max-steps", 1, "--batch-tokens", 400


def topics(world: World) -> tuple[object, ...]:
    return "topics", "--data", world.pairs, "--at-least", 5


def show(world: World) -> tuple[object, ...]:
    return "show", world.model


def reproduce(world: World) -> tuple[object, ...]:
    content = {"text": str(world.pairs), "base": {"model": str(world.base)}, "topics": ["love"], "seeds": [0]}
    path = world.root / "reproduce.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return "reproduce", path, "--plan"


Command = Callable[[World], tuple[object, ...]]
FOLDERS: dict[str, Command] = {
    "apply": apply, "restore": restore, "sweep": sweep, "build": build, "train": train,
}  # fmt: skip
"""Commands whose ``--out`` is a folder."""
JSON: dict[str, Command] = {
    **FOLDERS, "forget": forget, "evaluate": evaluate, "topics": topics, "show": show,
}  # fmt: skip
"""Commands with ``--json``."""


# Places that cannot hold a result.


def device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))


def link_to_file(path: Path) -> None:
    (path.parent / "kept").write_text("kept")
    path.symlink_to("kept")


def link_to_folder(path: Path) -> None:
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / "kept").write_text("kept")
    path.symlink_to("folder")


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")


BAD_FILES: dict[str, Callable[[Path], Any]] = {
    "a device": device,
    "a pipe": os.mkfifo,
    "a link to a file": link_to_file,
    "a link to a folder": link_to_folder,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": full_folder,
    "an empty folder": lambda path: path.mkdir(),
}
BAD_FOLDERS: dict[str, Callable[[Path], Any]] = {
    "a file": lambda path: path.write_text("mine"),
    "a device": device,
    "a pipe": os.mkfifo,
    "a link to a file": link_to_file,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}
BAD_NAMES: dict[str, Callable[[Path], object]] = {
    "below a file": lambda place: place / "a_file" / "x",
    "far below a file": lambda place: place / "a_file" / "x" / "y",
    "below a device": lambda place: place / "a_device" / "x",
    "where nothing can be written": lambda _: "/proc/nowhere/x",
    "where nothing can be written at all": lambda _: "/proc/x",
    "a name too long": lambda place: place / ("x" * 300),
    "a path too long": lambda place: place / "/".join(["y" * 200] * 30),
    "an empty name": lambda _: "",
}


def out(
    command: Command, make: Callable[[Path], Any], *, option: str = "--out", name: str = "target"
) -> Callable[[Place], Outcome]:
    """The command, with something else where its result goes."""

    def do(place: Place) -> Outcome:
        make(place.path / name)
        return place.run(*_with(command, place, option, place.path / name))

    return do


def named(command: Command, name: Callable[[Path], object], option: str = "--out") -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        place.write("a_file", "mine")
        device(place.path / "a_device")
        return place.run(*_with(command, place, option, name(place.path)))

    return do


def _with(command: Command, place: Place, option: str, value: object) -> tuple[object, ...]:
    """The command with this option; one that needs ``--out`` gets a good one beside it."""
    needs_out = option != "--out" and command in (*FOLDERS.values(), forget)
    good_out = ("--out", place.path / "fine") if needs_out else ()
    return (*command(place.world), *good_out, option, value)


@contextmanager
def no_space(size: int) -> Generator[None]:
    """No file of this process grows beyond ``size`` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def full_disk(command: Command, size: int) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        with no_space(size):
            return place.run(*command(place.world), "--out", "target")

    return do


def full_disk_over(command: Command, of: str, size: int) -> Callable[[Place], Outcome]:
    """No space while an older model is replaced."""

    def do(place: Place) -> Outcome:
        place.model("target", of)
        with no_space(size):
            return place.run(*command(place.world), "--out", "target")

    return do


def only_new(name: str) -> bool:
    """What was begun may lie there, if the run can go on from it."""
    return name.startswith("target/checkpoints") or name in ("target", "target/run.json", "target/request.json")


def over(command: Command, of: str) -> Callable[[Place], Outcome]:
    """The command writes over an older model."""

    def do(place: Place) -> Outcome:
        place.model("target", of)
        return place.run(*command(place.world), "--out", "target")

    return do


def holds_set(place: Place, name: str, deleted: list[int], topics: list[str]) -> bool:
    from codeunlearn.codebook import load_model

    model = load_model(place.path / name)
    found = model.bottleneck.codebook.deleted.nonzero().flatten().tolist()
    assert sorted(found) == sorted(deleted), f"{found} are deleted, not {deleted}"
    ledger = [entry["topic"] for entry in model.config.bottleneck.ledger]
    assert ledger == topics, f"the ledger says {ledger}"
    return True


def forgets_love(name: str = "target") -> Check:
    return lambda _outcome, place: holds_set(place, name, place.world.ids, ["love"])


def keeps_notes(check: Check) -> Check:
    def both(outcome: Outcome, place: Place) -> bool:
        assert (place.path / "target" / "notes.txt").read_text() == "mine", "a file of the user's is gone"
        return bool(check(outcome, place))

    return both


def foreign_folder(command: Command) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        full_folder(place.path / "target")
        return place.run(*command(place.world), "--out", "target")

    return do


MARKUP = (
    "x[/b]",
    "x[old]",
    "[red]",
    "x[/x",
    ":smile:",
    "<img src=x>",
    "$x$",
    "`x`",
    "%s{x}",
    "é ü",
    "a b",
    "-x",
    "'x'",
    "x\ny",
    "*x*",
    "[link=x]",
)


def into(name: str, *more: object) -> Callable[[Place], Outcome]:
    return lambda place: place.run(*apply(place.world), "--out", place.path / name, *more)


def says(name: str) -> Check:
    """The name is on the screen as it is, and the model lies there."""

    def check(outcome: Outcome, place: Place) -> bool:
        assert name in outcome.said or repr(name)[1:-1] in outcome.said, f"{name!r} is not in {outcome.said!r}"
        return holds_set(place, name, place.world.ids, ["love"])

    return check


def card_of(topic: str) -> Callable[[Place], Outcome]:
    """Applies a set of this topic to a model, for the card that is written."""

    def do(place: Place) -> Outcome:
        from codeunlearn.codebook import load_model, model_identity
        from codeunlearn.unlearning import ForgetSet

        identity = model_identity(load_model(place.world.model))
        made = place.call(
            lambda: ForgetSet(topic, (1, 2, 3), identity, forms=(topic,), num_codes=64).save(place.path / "set.json")
        )
        if made.kind != "done":
            return made
        return place.run("apply", place.world.model, "set.json", "--out", "target")

    return do


def harmless_card(topic: str) -> Check:
    """Nothing in the card that a browser would load, run or take for another heading or cell."""

    def check(_outcome: Outcome, place: Place) -> bool:
        import markdown_text

        card = (place.path / "target" / "README.md").read_text(encoding="utf-8")
        live = markdown_text.live(card)
        assert not live, f"{topic!r} is live in the card: {live}"
        return True

    return check


def shown(topic: str) -> Callable[[Place], Outcome]:
    """`show` of a model that has forgotten a topic of this name."""

    def do(place: Place) -> Outcome:
        made = card_of(topic)(place)
        return made if made.kind != "done" else place.run("show", "target")

    return do


CASES = [
    *some(Case(f"{name}: --out is {what}", out(command, make), refused("target")) for name, command in FOLDERS.items() for what, make in BAD_FOLDERS.items()),
    *some(Case(f"forget: --out is {what}", out(forget, make), refused("target")) for what, make in BAD_FILES.items()),
    *some(Case(f"{name}: --out is {what}", named(command, bad), refused()) for name, command in {**FOLDERS, "forget": forget, "reproduce": reproduce}.items() for what, bad in BAD_NAMES.items()),
    *some(Case(f"{name}: --json is {what}", out(command, make, option="--json"), refused("target")) for name, command in JSON.items() for what, make in BAD_FILES.items()
      if name in ("apply", "topics") or what in ("a folder", "a device", "a link to a file")),
    *some(Case(f"{name}: --json is {what}", named(command, bad, "--json"), refused()) for name, command in JSON.items() for what, bad in BAD_NAMES.items()
      if what != "an empty name" and (name in ("apply", "topics") or what in ("below a file", "where nothing can be written"))),
    *some(Case(f"{name}: --report is {what}", out(command, make, option="--report"), refused("target")) for name, command in (("forget", forget), ("evaluate", evaluate)) for what, make in BAD_FOLDERS.items()),
    *some(Case(f"{name}: --report is {what}", named(command, bad, "--report"), refused()) for name, command in (("forget", forget), ("evaluate", evaluate)) for what, bad in BAD_NAMES.items() if what != "an empty name"),
    Case("--json /tmp", lambda p: _json_tmp(p), refused("/tmp")),
    *some(Case(f"{name}: no space for more than {size} bytes", full_disk(command, size), Refused((), only_new) if size == 0 else Either(Refused((), only_new), Accepted())) for name, command in {**FOLDERS, "forget": forget}.items() for size in (0, 2000)
      if not (name == "train" and size == 0)),
    *some(Case(f"apply over an older model: no space for more than {size} bytes", full_disk_over(apply, "model", size), refused()) for size in (0, 1000, 20_000, 60_000)),
    *some(Case(f"restore over an older model: no space for more than {size} bytes", full_disk_over(restore, "forgotten", size), refused()) for size in (0, 1000, 20_000, 60_000)),
    Case("apply over a plain copy", over(apply, "model"), Accepted(forgets_love())),
    Case("apply over a model that forgot", over(apply, "forgotten"), Accepted(forgets_love())),
    Case("apply over a model that was committed", over(apply, "committed"), Accepted(forgets_love())),
    Case("restore over a model that forgot", over(restore, "forgotten"), Accepted(lambda _, p: holds_set(p, "target", [], []))),
    Case("apply into an empty folder", out(apply, lambda path: path.mkdir()), Accepted(forgets_love())),
    Case("apply through a link to a folder", out(apply, link_to_folder), Either(refused("target"), Accepted(lambda _, p: (p.path / "folder" / "kept").exists() and holds_set(p, "target", p.world.ids, ["love"])))),
    *some(Case(f"{name} into a folder of other things", foreign_folder(command), Either(refused("target"), Accepted(keeps_notes(lambda _o, _p: True)))) for name, command in FOLDERS.items()),
    Case("apply onto its own model", lambda p: (m := p.model(), p.run("apply", m, p.world.love, "--out", m))[1], refused("model")),
    Case("apply onto its own model by another path", lambda p: (m := p.model(), p.run("apply", m, p.world.love, "--out", m / ".." / "model"))[1], refused("model")),
    Case("apply onto its own model by a link", lambda p: (m := p.model(), (p.path / "link").symlink_to("model"), p.run("apply", m, p.world.love, "--out", "link"))[2], refused("link|model")),
    Case("apply into its own model", lambda p: (m := p.model(), p.run("apply", m, p.world.love, "--out", m / "out"))[1], Either(refused("model"), Accepted(forgets_love("model/out")))),
    Case("apply over what holds its model", lambda p: (m := p.model("a/model"), p.run("apply", m, p.world.love, "--out", "a"))[1], Either(refused(), Accepted(lambda _, p: (p.path / "a" / "model" / "config.json").exists()))),
    Case("apply --json into the model that it makes", into("target", "--json", "target/config.json"), Either(refused("config.json"), Accepted(forgets_love()))),
    Case("apply --json onto the forget set", lambda p: (s := p.copy(p.world.love), p.run("apply", p.world.model, s, "--out", "target", "--json", s))[1], refused("love.json")),
    Case("apply --json onto the model", lambda p: (m := p.model(), p.run("apply", m, p.world.love, "--out", "target", "--json", m / "config.json"))[1], refused("config.json")),
    Case("forget --json and --out the same", lambda p: p.run(*forget(p.world), "--out", "a.json", "--json", "a.json"), Either(refused("a.json"), Accepted(lambda _, p: json.loads((p.path / "a.json").read_text())["topic"] == "love"))),
    Case("forget --out onto its data", lambda p: (d := p.copy(p.world.pairs), p.run("forget", p.world.model, "--topic", "love", "--data", d, *SEARCH, "--out", d))[1], refused("pairs.tsv")),
    Case("forget --out into its model", lambda p: (m := p.model(), p.run("forget", m, "--topic", "love", "--data", p.world.pairs, *SEARCH, "--out", m / "model.safetensors"))[1], refused("model.safetensors")),
    Case("train over a finished model", over(train, "base"), refused("target")),
    Case("build over a finished model", over(build, "model"), refused("target")),
    Case("commit in mode drop", into("target", "--commit", "--mode", "drop"), refused("refill")),
    Case("restore what was never forgotten", lambda p: p.run("restore", p.world.model, "--out", "target"), refused("model")),
    Case("restore a topic that was never forgotten", lambda p: p.run("restore", p.world.forgotten, "--topic", "hate", "--out", "target"), refused("hate")),
    Case("restore what was committed", lambda p: p.run("restore", p.world.committed, "--out", "target"), refused("committed")),
    *some(Case(f"--out {name!r}", into(name), Accepted(says(name))) for name in MARKUP),
    *some(Case(f"a missing forget set {name!r}", lambda p, n=name: p.run("apply", p.world.model, f"./{n}", "--out", "target"), refused(name.replace("\n", ""))) for name in MARKUP),
    *some(Case(f"a topic {topic!r} in a card", card_of(topic), Either(Refused((), lambda name: name == "set.json"), Accepted(harmless_card(topic)))) for topic in (
        "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "![x](https://example.org/x.png)", "[x](https://example.org)", "a | b", "a\n# b", "a\n\nb",
        "`x`", "$x$", "*x*", "&lt;b&gt;", "<https://example.org>", "https://example.org/x", "a\\", "---", "|---|", "<!-- x", "[^1]", "![x][y]", "a\n---\nb", "\x1b[31mred")),
    *some(Case(f"a topic {topic!r} on the screen", shown(topic), Either(Refused((), lambda name: True), Accepted(lambda o, _, t=topic: t in o.shown))) for topic in ("x[/b]", "x[old]", "[red]x", ":smile:", "<b>", "$x$", "[bold]")),
]  # fmt: skip


def _json_tmp(place: Place) -> Outcome:
    before = set(Path("/").glob("tmp*"))
    outcome = place.run(*apply(place.world), "--out", "target", "--json", "/tmp")
    left = set(Path("/").glob("tmp*")) - before
    for path in left:
        path.unlink()
    return replace(outcome, changed=(*outcome.changed, *map(str, left)))


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_where_a_result_goes_is_checked_before_the_work(case: Case, place: Place) -> None:
    expect(case, place)
