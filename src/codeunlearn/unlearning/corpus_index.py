"""The codes of every sentence of a corpus, kept on disk, so that later topics need the model only for their controls.

A folder of Arrow files (memory-mapped, a few thousand sentences each), the counts of every code over the corpus, and
``index.json``, which is written last and says which model the index belongs to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, identify, model_identity, require_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import write_json
from codeunlearn.record import environment
from codeunlearn.unlearning.code_batches import CodeBatch, CodeReader
from codeunlearn.unlearning.counting import S_PRIMES, CodeCounter
from codeunlearn.unlearning.counts import CodeCounts

SENTENCES_PER_FILE = 8192
DEPTH = max(S_PRIMES)
_INFO, _COUNTS = "index.json", "counts.npz"


@dataclass(frozen=True)
class IndexInfo:
    """What an index was made of.

    Attributes:
        fingerprint: of the model, see `model_identity`.
        num_codes: rows of its codebook.
        depth: codes kept per token, best first: the largest S' that can be asked.
        sentences: how many distinct source sentences it holds.
        tokens: their tokens, end marks included.
        bytes: size of the Arrow files.
        seconds: what the last start of the build took.
        details: data, pool, versions and machine.
    """

    fingerprint: str
    num_codes: int
    depth: int
    sentences: int
    tokens: int
    bytes: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict[str, Any])


class Context(NamedTuple):
    """A token that selects a code, and where it stands.

    Attributes:
        sentence: the source sentence.
        token: text of the token.
        position: its number in the sentence.
        rank: 0 where the code is the token's most similar.
    """

    sentence: str
    token: str
    position: int
    rank: int


def build_index(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    out: Path,
    *,
    depth: int = DEPTH,
    batch_tokens: int | None = None,
    details: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusIndex:
    """Reads every distinct sentence once and keeps its codes; files that an earlier, killed build finished are kept.

    Deletions are ignored, so that the index stays valid when topics are forgotten.

    Raises:
        CodeUnlearnError: ``out`` holds an index, or one begun for another model, corpus or depth.
    """
    if (out / _INFO).exists():
        raise CodeUnlearnError(f"{out} already holds an index; choose another --out or remove it.")
    codebook = require_bottleneck(model).codebook
    if not 1 <= depth <= codebook.num_codes:
        raise CodeUnlearnError(f"The depth must lie between 1 and K = {codebook.num_codes}, not {depth}.")
    began = time.perf_counter()
    texts = list(dict.fromkeys(sentences))
    asked: dict[str, Any] = {
        "fingerprint": model_identity(model),
        "num_codes": codebook.num_codes,
        "depth": depth,
        "texts": len(texts),
    }
    _begin(out, asked)
    reader = CodeReader(model, tokenizer, depth, batch_tokens)
    with evaluating(model), torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        for number, start in enumerate(range(0, len(texts), SENTENCES_PER_FILE)):
            part = texts[start : start + SENTENCES_PER_FILE]
            path = out / f"codes-{number:05d}.arrow"
            if not path.exists():
                _write(path, part, reader, codebook.num_codes)
            if progress is not None:
                progress(start + len(part), len(texts))
    files = sorted(out.glob("codes-*.arrow"))
    info = IndexInfo(
        asked["fingerprint"],
        codebook.num_codes,
        depth,
        len(texts),
        sum(_Part.read(path).offsets[-1].item() for path in files),
        sum(path.stat().st_size for path in files),
        round(time.perf_counter() - began, 1),
        {**(details or {}), "environment": environment()},
    )
    index = CorpusIndex(out, info)
    index.count(codebook.code_ids, tokenizer).save(out / _COUNTS)
    write_json(out / _INFO, asdict(info))
    return index


class CorpusIndex:
    """An index on disk; nothing of it is read before it is asked for."""

    def __init__(self, folder: Path, info: IndexInfo) -> None:
        self.folder, self.info = folder, info

    @classmethod
    def open(cls, folder: str | Path, model: Any) -> CorpusIndex:
        """The index in ``folder``, for this model.

        Raises:
            CodeUnlearnError: there is none, or it was made for another model, or the model has since lost codes.
        """
        path = Path(folder) / _INFO
        if not path.exists():
            raise CodeUnlearnError(f"{folder} holds no finished index; make one with `codeunlearn index`.")
        info = IndexInfo(**json.loads(path.read_text(encoding="utf-8")))
        if not identify(model).goes_by(info.fingerprint):
            raise CodeUnlearnError(f"The index in {folder} was made for another model; index the corpus again.")
        if info.num_codes != require_bottleneck(model).codebook.num_codes:
            raise CodeUnlearnError(
                f"The index in {folder} was made before codes were committed away; index the corpus again."
            )
        return cls(Path(folder), info)

    @cached_property
    def counts(self) -> CodeCounts:
        """How often every code fires over the whole corpus: the corpus is the counts' topic side."""
        return CodeCounts.load(self.folder / _COUNTS)

    def holds(self, sentences: Sequence[str]) -> bool:
        """Whether every one of these sentences is in the index."""
        return all(sentence in self._places for sentence in sentences)

    def lengths(self, sentences: Sequence[str]) -> list[int]:
        """Tokens of each sentence."""
        return [len(self._parts[part].tokens_of(row)) for part, row in map(self._places.__getitem__, sentences)]

    def batch(self, sentences: Sequence[str], s: int) -> CodeBatch:
        """The first ``s`` codes of every token of these sentences, as the model would give them."""
        if s > self.info.depth:
            raise CodeUnlearnError(f"The index in {self.folder} keeps {self.info.depth} codes per token, not S' = {s}.")
        found = [self._parts[part].row(row) for part, row in map(self._places.__getitem__, sentences)]
        width = max(len(tokens) for tokens, _ in found)
        tokens = torch.zeros((len(found), width), dtype=torch.long)
        ids = torch.zeros((len(found), width, s), dtype=torch.long)
        mask = torch.zeros((len(found), width), dtype=torch.bool)
        for i, (of_tokens, of_codes) in enumerate(found):
            tokens[i, : len(of_tokens)] = torch.from_numpy(of_tokens.astype(np.int64))
            ids[i, : len(of_tokens)] = torch.from_numpy(of_codes[:, :s].astype(np.int64))
            mask[i, : len(of_tokens)] = True
        return CodeBatch(ids, mask, tokens)

    def contexts(
        self, row: int, tokenizer: PreTrainedTokenizerBase, *, limit: int = 5, s: int | None = None
    ) -> list[Context]:
        """Tokens of the corpus that have the code of this row among their first ``s``, those that like it most first."""
        found: list[Context] = []
        best_first = sorted(self._hits(row, s or self.info.depth))
        for rank, part, sentence, position in best_first[:limit]:
            token = int(self._parts[part].tokens_of(sentence)[position])
            text = str(tokenizer.convert_ids_to_tokens(token))
            found.append(Context(self._parts[part].sources[sentence], text, position, rank))
        return found

    def count(self, code_ids: Tensor, tokenizer: PreTrainedTokenizerBase) -> CodeCounts:
        """The counts of every code over the corpus, for all S' up to the depth."""
        levels = [s for s in S_PRIMES if s <= self.info.depth] or [self.info.depth]
        counter = CodeCounter(self.info.num_codes, levels)
        for part in self._parts:
            for start in range(0, len(part.sources), 256):
                some = self.batch(part.sources[start : start + 256], levels[-1])
                counter.update(some, "topic")
        return counter.result(code_ids, lambda token: str(tokenizer.convert_ids_to_tokens(token)))

    def _hits(self, row: int, s: int) -> Iterator[tuple[int, int, int, int]]:
        for number, part in enumerate(self._parts):
            token, rank = (part.codes[:, :s] == row).nonzero()
            sentence = np.searchsorted(part.offsets, token, side="right") - 1
            yield from zip(
                rank.tolist(),
                [number] * len(token),
                sentence.tolist(),
                (token - part.offsets[sentence]).tolist(),
                strict=True,
            )

    @cached_property
    def _parts(self) -> list[_Part]:
        return [_Part.read(path) for path in sorted(self.folder.glob("codes-*.arrow"))]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return {s: (number, row) for number, part in enumerate(self._parts) for row, s in enumerate(part.sources)}


@dataclass(frozen=True, eq=False)
class _Part:
    """One Arrow file: B sentences, T tokens."""

    sources: list[str]
    offsets: Any  # [B + 1] numpy
    tokens: Any  # [T] numpy
    codes: Any  # [T, depth] numpy, memory-mapped

    @classmethod
    def read(cls, path: Path) -> _Part:
        table: Any = pa.ipc.open_file(pa.memory_map(str(path))).read_all()  # pyright: ignore[reportUnknownMemberType]
        tokens, codes = (table.column(name).chunk(0) for name in ("tokens", "codes"))
        offsets = tokens.offsets.to_numpy()
        values = codes.values.to_numpy()
        return cls(
            table.column("source").to_pylist(),
            offsets,
            tokens.values.to_numpy(),
            values.reshape(int(offsets[-1]), -1),
        )

    def tokens_of(self, row: int) -> Any:
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]

    def row(self, row: int) -> tuple[Any, Any]:
        span = slice(self.offsets[row], self.offsets[row + 1])
        return self.tokens[span], self.codes[span]


def _begin(out: Path, asked: dict[str, Any]) -> None:
    path = out / "request.json"
    if path.exists() and (begun := json.loads(path.read_text(encoding="utf-8"))) != asked:
        name = next(key for key in asked if begun.get(key) != asked[key])
        raise CodeUnlearnError(f"The index in {out} was begun with another {name}; choose another --out or remove it.")
    write_json(path, asked)


def _write(path: Path, texts: Sequence[str], reader: CodeReader, num_codes: int) -> None:
    """Writes one file whole or not at all."""
    found: dict[int, tuple[Any, Any]] = {}
    for members, (batch,) in reader.read_with_members([texts]):
        for i, ids, mask, tokens in zip(members, *(t.cpu().numpy() for t in batch), strict=True):
            found[i] = tokens[mask], ids[mask]
    lengths = [len(found[i][0]) for i in range(len(texts))]
    offsets = np.cumsum([0, *lengths])
    tokens = np.concatenate([found[i][0] for i in range(len(texts))])
    codes = np.concatenate([found[i][1] for i in range(len(texts))])
    depth = codes.shape[1]
    table = pa.table(
        {
            "source": pa.array(texts, pa.string()),
            "tokens": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(tokens.astype(np.uint32))),
            "codes": pa.ListArray.from_arrays(
                pa.array(offsets * depth, pa.int32()),
                pa.array(codes.astype(np.uint16 if num_codes <= 1 << 16 else np.uint32).ravel()),
            ),
        }
    )
    unfinished = path.with_suffix(".part")
    with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=len(texts))
    unfinished.replace(path)
