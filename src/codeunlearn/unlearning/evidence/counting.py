"""How often every code fires on a topic's sentences and on their controls, for all S' at once (eqs. 9, 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import require_bottleneck
from codeunlearn.device import join_processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray, TokenCounts
from codeunlearn.unlearning.evidence.reading import CodeReader

S_PRIMES = (8, 24, 40, 56, 72, 88, 104)
ENTRIES_AT_ONCE = 1 << 25  # sentences times codes
Progress = Callable[[int, int], None]
"""Called with the number of sentences read so far and of all sentences."""


def count_lists(
    topic: CodeLists,
    controls: Sequence[CodeLists],
    s_primes: Sequence[int],
    *,
    paired: bool = True,
    code_ids: IntArray | None = None,
    name_token: Callable[[int], str] = str,
) -> CodeCounts:
    """The counts of what was read.

    The S' lists of one token are nested, so the best rank of a code within a sentence decides its presence for every S'.

    Args:
        topic: codes of the topic's sentences, at least as many per token as the largest S'.
        controls: of its controls, one for each draw.
        s_primes: the values of S' to count for, ascending.
        paired: sentence i of every draw is the control of topic sentence i.
        code_ids: [K] id of each row, as in `Codebook.code_ids`; the rows themselves when absent.
        name_token: text of a token id.
    """
    none = np.zeros((len(s_primes), topic.num_codes), np.int64)
    fired = _fired(topic, s_primes)
    return CodeCounts(
        s_primes=tuple(s_primes),
        code_ids=np.arange(topic.num_codes) if code_ids is None else code_ids,
        sentences_topic=_sentences([topic], s_primes),
        sentences_control=sum((_sentences([one], s_primes) for one in controls), none),
        both=sum((_sentences([topic, one], s_primes) for one in controls), none) if paired else none,
        tokens_topic=_tokens(topic, s_primes),
        tokens_control=sum((_tokens(one, s_primes) for one in controls), none),
        n_topic=topic.sentences,
        n_control=sum(one.sentences for one in controls),
        n_pairs=len(controls) * topic.sentences if paired else 0,
        n_topic_tokens=len(topic.ids),
        n_control_tokens=sum(len(one.ids) for one in controls),
        fired=fired,
        token_names={token: name_token(token) for token in np.unique(fired.token).tolist()},
    )


def _sentences(columns: Sequence[CodeLists], s_primes: Sequence[int]) -> IntArray:
    """[P, K]: at how many places every column's sentence has each code, at each S'."""
    codes, never = columns[0].num_codes, len(s_primes)
    total = np.zeros((never, codes), np.int64)
    at_once = max(1, ENTRIES_AT_ONCE // codes)
    for start in range(0, columns[0].sentences, at_once):
        first = np.maximum.reduce([_first_levels(one, start, start + at_once, s_primes) for one in columns])
        sentence, code = (first < never).nonzero()
        keys = first[sentence, code].astype(np.int64) * codes + code
        total += np.bincount(keys, minlength=never * codes).reshape(never, codes)
    return total.cumsum(0)


def _first_levels(lists: CodeLists, start: int, end: int, s_primes: Sequence[int]) -> NDArray[np.int8]:
    """[B, K] of some sentences: the index of the smallest S' at which each code is present, P if it never is."""
    places = slice(*np.searchsorted(lists.sentence, (start, end)))
    sentence, ids = lists.sentence[places, None] - start, lists.ids[places]
    first = np.full((min(end, lists.sentences) - start, lists.num_codes), len(s_primes), np.int8)
    for level in reversed(range(len(s_primes))):
        first[sentence, ids[:, : s_primes[level]]] = level
    return first


def _tokens(lists: CodeLists, s_primes: Sequence[int]) -> IntArray:
    """[P, K]: for how many tokens each code is among the top S'."""
    new = [np.bincount(ids.ravel(), minlength=lists.num_codes) for ids in _new_at(lists, s_primes)]
    return np.cumsum(new, axis=0)


def _fired(lists: CodeLists, s_primes: Sequence[int]) -> TokenCounts:
    columns: list[tuple[IntArray, ...]] = []
    for level, ids in enumerate(_new_at(lists, s_primes)):
        keys, number = np.unique(lists.token_ids[:, None] * lists.num_codes + ids, return_counts=True)
        columns.append((np.full(len(keys), level), keys % lists.num_codes, keys // lists.num_codes, number))
    return TokenCounts(*map(np.concatenate, zip(*columns, strict=True)))


def _new_at(lists: CodeLists, s_primes: Sequence[int]) -> Iterator[NDArray[np.int32]]:
    """For each S' the codes of every token that no smaller one has."""
    return (lists.ids[:, start:end] for start, end in pairwise((0, *s_primes)))


def count_codes(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    topic_sentences: Sequence[str],
    controls: Sequence[str] | Sequence[Sequence[str]],
    *,
    s_primes: Sequence[int] = S_PRIMES,
    batch_tokens: int | None = None,
    paired: bool = True,
    progress: Progress | None = None,
) -> CodeCounts:
    """Counts the codes of a topic's sentences and of their controls, as `CodeReader` reads them.

    Processes that were started together (``accelerate launch``) read a share each, and all return the counts of all. Code
    ids, not rows, are reported, so they stay valid after a commit. With several draws every control sentence counts
    once, so a control frequency is over draws x sentences.

    Args:
        topic_sentences: D_T.
        controls: D_~T: one list of sentences, or several draws of it.
        s_primes: the values of S' to count for.
        batch_tokens: bound on the padded tokens of a batch; a longer pair goes alone. What suits the device when absent.
        paired: sentence i of every draw is the control of topic sentence i, and the paired table is kept.
            Otherwise the two groups are unrelated and may differ in size.

    Raises:
        CodeUnlearnError: no bottleneck, no sentences, unequal numbers of paired sentences, or S' larger than
            K.
    """
    codebook, levels = require_bottleneck(model).codebook, sorted(set(s_primes))
    draws = _as_draws(controls)
    _check(topic_sentences, draws, paired, levels, codebook.num_codes)
    rank, number = join_processes(model.device)
    columns = [column[rank::number] for column in (topic_sentences, *draws)]
    reader = CodeReader(model, tokenizer, levels[-1], batch_tokens)
    done, total = 0, sum(map(len, columns))

    def report(sentences: int) -> None:
        nonlocal done
        done += sentences
        if progress is not None:
            progress(done, total)

    groups = [columns] if paired else [[column] for column in columns]
    lists = [one for group in groups for one in reader.read_together(group, report)]
    if number > 1:
        with needs("train"):
            from accelerate.utils import gather_object
        lists = [CodeLists.joined(parts) for parts in zip(*gather_object([lists]), strict=True)]
    ids, names = codebook.code_ids.cpu().clone().numpy(), tokenizer.convert_ids_to_tokens
    topic, *others = lists
    return count_lists(topic, others, levels, paired=paired, code_ids=ids, name_token=lambda token: str(names(token)))


def _as_draws(controls: Sequence[str] | Sequence[Sequence[str]]) -> list[Sequence[str]]:
    if controls and isinstance(controls[0], str):
        return [cast(Sequence[str], controls)]
    return list(cast(Sequence[Sequence[str]], controls))


def _check(
    topic: Sequence[str], draws: Sequence[Sequence[str]], paired: bool, s_primes: Sequence[int], num_codes: int
) -> None:
    if not s_primes or s_primes[0] < 1:
        raise CodeUnlearnError(f"S' must be at least 1; got {list(s_primes)}.")
    if s_primes[-1] > num_codes:
        raise CodeUnlearnError(f"S' = {s_primes[-1]} codes per token cannot come from K = {num_codes}; lower S'.")
    if not topic or not draws or not all(draws):
        raise CodeUnlearnError("Counting needs at least one topic sentence and one control sentence; a list is empty.")
    if paired and (sizes := sorted({len(draw) for draw in draws if len(draw) != len(topic)})):
        raise CodeUnlearnError(
            f"There are {len(topic)} topic sentences and {sizes[0]} controls; give one control per sentence, "
            "or count with paired=False."
        )
