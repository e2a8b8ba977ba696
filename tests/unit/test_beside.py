"""What stands beside a result is asked for by name: methods start from the model before, attacks from the one in the end."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from codeunlearn.audit.base import ATTACKS
from codeunlearn.audit.beside import beside
from codeunlearn.cli.app import app
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import System
from codeunlearn.methods.base import METHODS
from codeunlearn.methods.codes import Codes
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.unlearning import ForgetSet

TASK = TASKS.get("translation")
SETS = TopicSets(Topic("love", ("love",)), [], [], True, [], [], [], [])
BEFORE, LAST = (System(name, "before", lambda: nullcontext(View(None, None))) for name in ("before", "last"))


@dataclass(frozen=True)
class Named:
    """A method and an attack at once that say what they start from."""

    name: ClassVar[str] = "named"
    access: ClassVar[Any] = "outputs"

    def forget(self, base: System, *_: Any, **__: Any) -> System:
        return System(f"method from {base.name}", "after", base.open)

    def mount(self, target: System, *_: Any, **__: Any) -> System:
        return System(f"attack on {target.name}", "attack", target.open)


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, entry in ((METHODS, Named), (ATTACKS, Named())):
        registry.names()  # its own entries first
        monkeypatch.setitem(registry._entries, "named", entry)  # pyright: ignore[reportPrivateUsage]


def test_methods_start_from_the_model_before_and_attacks_from_the_one_in_the_end() -> None:
    made = beside(["named"], ["named"], SETS, TASK)(BEFORE, LAST)
    assert [system.name for system in made] == ["method from before", "attack on last"]
    assert beside([], ["named"], None, TASK)(BEFORE, LAST)[0].name == "attack on last"


def test_codes_beside_our_deletion_have_a_name_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Codes, "forget_set", lambda *_, **__: ForgetSet("love", (1,), "f"))
    (made,) = beside(["codes"], [], SETS, TASK)(BEFORE, LAST)
    assert (made.name, made.role) == ("codes", "after")


@pytest.mark.parametrize(
    ("methods", "attacks", "sets", "said"),
    [
        (["nothing"], [], SETS, "Unknown method 'nothing'"),
        ([], ["nothing"], SETS, "Unknown attack 'nothing'"),
        (["gold"], [], SETS, "The method gold needs folder"),
        (["named"], [], None, "name it with --topic"),
        (["named", "named"], [], SETS, "A method is named twice"),
        ([], ["named", "named"], SETS, "An attack is named twice"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(methods: list[str], attacks: list[str], sets: Any, said: str) -> None:
    with pytest.raises(CodeUnlearnError, match=said):
        beside(methods, attacks, sets, TASK)


def test_the_command_looks_at_names_before_it_reads_text() -> None:
    given = ["evaluate", "no-model", "--topic", "love", "--data", "no-text.tsv", "--method", "nothing"]
    done = CliRunner().invoke(app, given)
    assert "Unknown method 'nothing'" in str(done.exception)
