"""The codes of every sentence of a corpus, kept on disk, so that later topics need the model only for their controls.

A folder of Arrow files (memory-mapped, a few thousand sentences each), the counts of every code over the corpus, and
``index.json``, which is written last and says which model and which text the index belongs to.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, identify, model_identity, require_bottleneck
from codeunlearn.corpus.identity import texts_digest
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import clear_unfinished, write_json
from codeunlearn.folders import locked
from codeunlearn.record import environment
from codeunlearn.unlearning.code_files import CodeFile, write_code_file
from codeunlearn.unlearning.evidence.counting import S_PRIMES, CodeCounter
from codeunlearn.unlearning.evidence.counts import CodeCounts
from codeunlearn.unlearning.evidence.reading import CodeBatch, CodeReader
from codeunlearn.validation import read_request, read_state

SENTENCES_PER_FILE = 8192
DEPTH = max(S_PRIMES)
_AGAIN = "remove its index.json and give `codeunlearn index` again, which uses its whole files again"
INFO = "index.json"
_COUNTS, _REQUEST = "counts.npz", "request.json"
_NAMES = {"texts": "text", "sha256": "text", "fingerprint": "model"}
_SINCE = frozenset({"sha256", "tokenizer"})  # what indexes of older versions did not note


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
        sha256: of its sentences in their order; empty in an index of an older version, as is
        tokenizer: the digest of the tokenizer, see `tokenizer_digest`.
    """

    fingerprint: str
    num_codes: int
    depth: int
    sentences: int
    tokens: int
    bytes: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    sha256: str = ""
    tokenizer: str = ""


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
        CodeUnlearnError: ``out`` holds an index, or one begun for another model, corpus or depth, or another process writes
            to it.
    """
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
        "sha256": texts_digest(texts),
        "tokenizer": tokenizer_digest(tokenizer),
    }
    with locked(out):
        _begin(out, asked)
        reader = CodeReader(model, tokenizer, depth, batch_tokens)
        files: list[CodeFile] = []
        with evaluating(model), torch.no_grad(), torch.autocast(model.device.type, enabled=False):
            for number, start in enumerate(range(0, len(texts), SENTENCES_PER_FILE)):
                part = texts[start : start + SENTENCES_PER_FILE]
                files.append(_finished_file(out / f"codes-{number:05d}.arrow", part, reader, codebook.num_codes))
                if progress is not None:
                    progress(start + len(part), len(texts))
        info = IndexInfo(
            fingerprint=asked["fingerprint"],
            num_codes=codebook.num_codes,
            depth=depth,
            sentences=len(texts),
            tokens=sum(file.num_tokens for file in files),
            bytes=sum(file.path.stat().st_size for file in files),
            seconds=round(time.perf_counter() - began, 1),
            details={**(details or {}), "environment": environment()},
            sha256=asked["sha256"],
            tokenizer=asked["tokenizer"],
        )
        index = CorpusIndex(out, info)
        index.count(codebook.code_ids, tokenizer).save(out / _COUNTS)
        write_json(out / INFO, asdict(info))
        return index


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of what turns text into tokens, whatever batches it has padded or cut before."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    for passing in ("truncation", "padding"):
        content.pop(passing, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class CorpusIndex:
    """An index on disk; nothing of it is read before it is asked for."""

    def __init__(self, folder: Path, info: IndexInfo) -> None:
        self.folder, self.info = folder, info

    @classmethod
    def open(cls, folder: str | Path, model: Any, tokenizer: PreTrainedTokenizerBase | None = None) -> CorpusIndex:
        """The index in ``folder``, for this model.

        Args:
            tokenizer: the model's, to be compared with that of the index.

        Raises:
            CodeUnlearnError: there is none, or it is damaged, or was made for another model or tokenizer, or the model has
                since lost codes.
        """
        path = Path(folder) / INFO
        if not path.exists():
            raise CodeUnlearnError(f"{folder} holds no finished index; make one with `codeunlearn index`.")
        info = read_state(IndexInfo, path, _AGAIN)
        others = info.tokenizer and tokenizer is not None and info.tokenizer != tokenizer_digest(tokenizer)
        if others or not identify(model).goes_by(info.fingerprint):
            raise CodeUnlearnError(f"The index in {folder} was made for another model; index the corpus again.")
        if info.num_codes != require_bottleneck(model).codebook.num_codes:
            raise CodeUnlearnError(
                f"The index in {folder} was made before codes were committed away; index the corpus again."
            )
        return cls(Path(folder), info)

    @cached_property
    def counts(self) -> CodeCounts:
        """How often every code fires over the whole corpus: the corpus is the counts' topic side.

        Raises:
            CodeUnlearnError: their file is damaged.
        """
        path = self.folder / _COUNTS
        try:
            counts = CodeCounts.load(path)
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{path} is missing or damaged; {_AGAIN}.") from error
        if len(counts.code_ids) != self.info.num_codes or counts.n_topic != self.info.sentences:
            raise CodeUnlearnError(f"{path} is not of this index; {_AGAIN}.")
        return counts

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
    def _parts(self) -> list[CodeFile]:
        info = self.info
        parts = [CodeFile.read(path, info.num_codes) for path in sorted(self.folder.glob("codes-*.arrow"))]
        found = sum(len(part.sources) for part in parts), sum(part.num_tokens for part in parts)
        if found != (info.sentences, info.tokens) or any(part.depth != info.depth for part in parts):
            raise CodeUnlearnError(f"The files in {self.folder} are not those of its {INFO}; {_AGAIN}.")
        return parts

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return {s: (number, row) for number, part in enumerate(self._parts) for row, s in enumerate(part.sources)}


def _begin(out: Path, asked: dict[str, Any]) -> None:
    """Notes what the index is of; what is noted there already must be the same.

    What older versions did not note shows in the files: each is compared with the sentences that it should hold.
    """
    if (out / INFO).exists():
        raise CodeUnlearnError(f"{out} already holds an index; choose another --out or remove it.")
    clear_unfinished(out)
    path = out / _REQUEST
    if not path.exists():
        write_json(path, asked)
        return
    known = asked.keys() - _SINCE
    begun = read_request(path, known, f"remove {out} and give the command again")
    for name in sorted(asked.keys() - (_SINCE - begun.keys())):
        if begun.get(name) != asked[name]:
            what = _NAMES.get(name, name)
            raise CodeUnlearnError(
                f"The index in {out} was begun with another {what}; choose another --out or remove it."
            )


def _finished_file(path: Path, texts: Sequence[str], reader: CodeReader, num_codes: int) -> CodeFile:
    """The file of these sentences: the one that is there where it is whole, else a new one.

    Raises:
        CodeUnlearnError: the one that is there is whole and holds other sentences.
    """
    if path.exists():
        try:
            file = CodeFile.read(path, num_codes)
        except CodeUnlearnError as error:
            warnings.warn(f"{str(error).rstrip('.')}: it is made again.", stacklevel=3)
        else:
            if file.sources != list(texts) or file.depth != reader.s:
                raise CodeUnlearnError(f"{path} was made of another text; choose another --out or remove the folder.")
            return file
    write_code_file(path, texts, reader, num_codes)
    return CodeFile.read(path, num_codes)
