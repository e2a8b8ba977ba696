"""The codes chosen for a topic, with the evidence for each: a small JSON file, readable and composable."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import codeunlearn
from codeunlearn.codebook.ledger import canonical_digest
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import plain, read_json, write_json
from codeunlearn.unlearning.evidence.counts import TopTokens
from codeunlearn.validation import MOST, Count, Digest, Finite, Index, NotNegative, Shape, Share, validated

FORMAT = "codeunlearn-forget-set"
FORMAT_VERSION = 2
"""1 had no digest."""


@dataclass(frozen=True)
class CodeEvidence:
    """Why one code was chosen; the numbers of its row in the `EnrichmentTable`.

    Attributes:
        id: code id.
        topic: units of D_T in which the code fires.
        control: the same in the control.
        f_topic: frequency in D_T, eq. 9.
        f_control: frequency in the control, eq. 10.
        r: R, eq. 11.
        p: p-value of the preset's test.
        top_tokens: the tokens of D_T that most often fire the code, with their numbers.
        q: smallest false discovery rate at which the code is chosen.
        effect: difference of the two frequencies.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end of its 95 % interval.
        topic_gain: share of the topic words' probability that deleting the code takes.
        retain_cost: nats that an unrelated sentence loses by it, on average.
        stability: share of bootstrap samples of the sentences in which it passes the test again.
        rank: place in the order of deletion, from 1.
        odds_ratio: odds that a pair with the code on one side only has it on the topic's; None where there are no pairs.
        z: of the log odds, shrunk towards unrelated text.
        alignment: share of its tokens in the topic's sentences that are the topic's words or stand beside them.
    """

    id: Index
    topic: Index
    control: Index
    f_topic: Share
    f_control: Share
    r: Finite
    p: Share
    top_tokens: TopTokens = ()
    q: Share | None = None
    effect: Finite | None = None
    effect_low: Finite | None = None
    effect_high: Finite | None = None
    topic_gain: Finite | None = None
    retain_cost: Finite | None = None
    stability: Share | None = None
    rank: Count | None = None
    odds_ratio: Finite | None = None
    z: Finite | None = None
    alignment: Share | None = None

    def __str__(self) -> str:
        tokens = ", ".join(f"{token} {count}" for token, count in self.top_tokens)
        strength = f"R = {self.r:.2f}, p = {self.p:.1e}"
        if self.topic_gain is not None:
            strength = f"takes {self.topic_gain:.1%} of the topic, costs {self.retain_cost or 0.0:.4f} nats"
        return f"code {self.id}: {self.topic} / {self.control}, {strength}; {tokens}"


@dataclass(frozen=True)
class ForgetSet:
    """The codes to delete for one topic; equal contents compare equal whenever and wherever they were made.

    Attributes:
        topic: name of the topic.
        ids: code ids, strongest evidence first, or in the order of deletion where the recipe has one. They stay valid when a
            commit moves the rows.
        fingerprint: of the model it was made for, before that model's first commit.
        forms: surface forms of the topic on the source side.
        target_forms: the topic's words on the target side.
        evidence: one entry per id, in the same order, or none when the ids were not found by counting.
        preset: name of the recipe that chose the codes.
        preset_options: the recipe's options.
        s_prime: S'.
        seed: of the search sentences and controls.
        num_codes: rows of the codebook that was searched.
        n_topic: sentences of D_T.
        n_control: control sentences, all draws together.
        codes_tested: codes that fired at all.
        expected_false_positives: codes the recipe would nominally choose without any effect; None when not
            known.
        created: ISO time of the search.
        version: of codeunlearn at the search.
        topic_left: share of the topic words' probability that is left on the sentences that the recommended recipe tried.
    """

    topic: str
    ids: tuple[int, ...]
    fingerprint: str
    forms: tuple[str, ...] = ()
    target_forms: tuple[str, ...] = ()
    evidence: tuple[CodeEvidence, ...] = ()
    preset: str = ""
    preset_options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    s_prime: Index = 0
    seed: int = 0
    num_codes: Index = 0
    n_topic: Index = 0
    n_control: Index = 0
    codes_tested: Index = 0
    expected_false_positives: Finite | None = None
    created: str = field(default="", compare=False)
    version: str = field(default=codeunlearn.__version__, compare=False)
    topic_left: NotNegative | None = None

    def __post_init__(self) -> None:
        if not all(type(i) is int and 0 <= i <= MOST for i in self.ids) or len(set(self.ids)) < len(self.ids):
            raise CodeUnlearnError(f"The forget set {self.topic!r} needs distinct code ids of at least 0.")
        if self.evidence and tuple(e.id for e in self.evidence) != self.ids:
            raise CodeUnlearnError(f"The evidence of the forget set {self.topic!r} does not belong to its ids.")

    def __len__(self) -> int:
        return len(self.ids)

    def __str__(self) -> str:
        share = f" of {self.num_codes:,} ({len(self) / self.num_codes:.2%})" if self.num_codes else ""
        text = f"{self.topic}: {len(self):,} codes{share}"
        if self.preset:
            text += f"; preset {self.preset}, S' = {self.s_prime}"
        if self.n_topic:
            text += f", {self.n_topic:,} topic and {self.n_control:,} control sentences"
        if self.expected_false_positives is not None:
            text += f"; {self.codes_tested:,} tested, {self.expected_false_positives:.1f} expected by chance"
        return text

    def summary(self, limit: int = 10) -> list[str]:
        """Lines for people: the set, then its first codes (topic / control counts, their strength, top tokens)."""
        lines = [str(self), *(f"  {evidence}" for evidence in self.evidence[:limit])]
        if len(self.evidence) > limit:
            lines.append(f"  ... and {len(self.evidence) - limit:,} more")
        return lines

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all of the set, so that a change of its file is noticed; the ledger carries it too."""
        return canonical_digest(plain(asdict(self)))

    def to_dict(self) -> dict[str, Any]:
        """What the file holds."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION, "digest": self.digest, **asdict(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ForgetSet:
        """The forget set in the content of a file; keys it does not know are left out with a warning.

        Raises:
            CodeUnlearnError: the content is not a forget set, of a newer format, or was changed after it was made.
        """
        if content.get("format") != FORMAT:
            raise CodeUnlearnError("This is not a forget set; make one with `codeunlearn forget`.")
        version = content.get("format_version", 1)
        if type(version) is int and version > FORMAT_VERSION:
            raise CodeUnlearnError("This forget set was written by a newer codeunlearn; update codeunlearn to read it.")
        _warn_of_unknown(content)
        try:
            frame = validated(_Frame, content, "The forget set is damaged")
            found = validated(cls, content, "The forget set is damaged")
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{str(error).rstrip('.')}; search the topic again.") from error
        has_digest = frame.digest is not None or version > 1 or found.fingerprint.startswith("2:")
        if has_digest and frame.digest != found.digest:
            raise CodeUnlearnError(
                f"The forget set {found.topic!r} was changed after it was made, for its digest is of another one; search the "
                "topic again."
            )
        return found

    def save(self, path: str | Path) -> None:
        """Writes one JSON file, whole or not at all."""
        write_json(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> ForgetSet:
        """Reads a forget set file.

        Raises:
            CodeUnlearnError: there is no such file, or it holds something else.
        """
        try:
            content = read_json(Path(path))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{error} A forget set is a JSON file that `codeunlearn forget` makes.") from error
        if not isinstance(content, dict):
            raise CodeUnlearnError(f"{path} is not a forget set; make one with `codeunlearn forget`.")
        try:
            return cls.from_dict(cast(dict[str, Any], content))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{path}: {error}") from error


@dataclass(frozen=True)
class ForgetUnion:
    """Several topics of one model, to be forgotten together; each keeps its set and can be restored alone.

    Attributes:
        sets: in the order given, equal sets once.
    """

    sets: tuple[ForgetSet, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(forget_set.topic for forget_set in self.sets))

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """All code ids, ascending, each once."""
        return tuple(sorted({i for forget_set in self.sets for i in forget_set.ids}))

    @cached_property
    def shared_ids(self) -> tuple[int, ...]:
        """Code ids that more than one of the sets claims, ascending."""
        claims = Counter(i for forget_set in self.sets for i in forget_set.ids)
        return tuple(sorted(i for i, count in claims.items() if count > 1))

    def __str__(self) -> str:
        return f"{', '.join(self.topics)}: {len(self):,} codes, {len(self.shared_ids):,} of them shared"


def union(*parts: ForgetSet | ForgetUnion) -> ForgetUnion:
    """The union of several topics' codes; whether they fit a model, `forget` says.

    Raises:
        CodeUnlearnError: nothing was given.
    """
    sets = tuple(flatten(parts))
    unique = tuple(s for i, s in enumerate(sets) if s not in sets[:i])
    if not unique:
        raise CodeUnlearnError("Give at least one forget set.")
    return ForgetUnion(unique)


def flatten(parts: Sequence[ForgetSet | ForgetUnion]) -> Iterable[ForgetSet]:
    """The single sets, in order."""
    for part in parts:
        yield from part.sets if isinstance(part, ForgetUnion) else (part,)


class _Frame(Shape, extra="ignore"):
    """What the file says beside the set."""

    format: str
    format_version: Count = 1
    digest: Digest | None = None


def _warn_of_unknown(content: Mapping[str, Any]) -> None:
    rows: Any = content.get("evidence")
    parts = [row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict)]
    for known, part in [(_KEYS, content), *((_KEYS_OF_EVIDENCE, row) for row in parts)]:
        if unknown := sorted(str(key) for key in part if key not in known):
            warnings.warn(f"Unknown keys in a forget set are ignored: {', '.join(unknown)}.", stacklevel=4)


_KEYS_OF_EVIDENCE = {one.name for one in fields(CodeEvidence)}
_KEYS = {one.name for one in fields(ForgetSet)} | set(_Frame.model_fields)
