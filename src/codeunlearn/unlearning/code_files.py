"""One Arrow file of an index: the sentences, their tokens, and the codes of every token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import replacing
from codeunlearn.unlearning.evidence.reading import CodeReader

_AGAIN = "remove it and the index.json beside it, and give `codeunlearn index` again"


@dataclass(frozen=True, eq=False)
class CodeFile:
    """B sentences, T tokens; codes are read when they are asked for.

    Attributes:
        sources: [B].
        offsets: [B + 1] where the tokens of each sentence begin.
        tokens: [T] token ids.
        codes: [T, depth] rows of the codebook, best first; memory-mapped.
        num_codes: rows of the codebook.
    """

    path: Path
    sources: list[str]
    offsets: Any
    tokens: Any
    codes: Any
    num_codes: int

    @classmethod
    def read(cls, path: Path, num_codes: int) -> CodeFile:
        """Opens what `write_code_file` wrote.

        Raises:
            CodeUnlearnError: the file is cut, damaged or something else.
        """
        try:
            table: Any = pa.ipc.open_file(pa.memory_map(str(path))).read_all()  # pyright: ignore[reportUnknownMemberType]
            table.validate()
            source, tokens, codes = (table.column(name).chunk(0) for name in ("source", "tokens", "codes"))
            offsets = tokens.offsets.to_numpy()
            rows = codes.values.to_numpy().reshape(int(offsets[-1]), -1)
            whole = np.array_equal(codes.offsets.to_numpy(), offsets * rows.shape[1]) and rows.dtype.kind == "u"
            sources = source.to_pylist()
            if not whole or not all(isinstance(text, str) for text in sources):
                raise ValueError("its columns do not belong together")
            return cls(path, sources, offsets, tokens.values.to_numpy(), rows, num_codes)
        except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise CodeUnlearnError(f"{path} is damaged; {_AGAIN}.") from error

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    @property
    def depth(self) -> int:
        return self.codes.shape[1]

    def tokens_of(self, row: int) -> Any:
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]

    def row(self, row: int) -> tuple[Any, Any]:
        """Token ids and codes of a sentence.

        Raises:
            CodeUnlearnError: a code is none of the codebook's.
        """
        span = slice(self.offsets[row], self.offsets[row + 1])
        tokens, codes = self.tokens[span], self.codes[span]
        if codes.size and codes.max() >= self.num_codes:
            raise CodeUnlearnError(f"{self.path} is damaged; {_AGAIN}.")
        return tokens, codes


def write_code_file(path: Path, texts: Sequence[str], reader: CodeReader, num_codes: int) -> None:
    """Reads the sentences and writes their file, whole or not at all."""
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
    with (
        replacing(path) as unfinished,
        pa.OSFile(str(unfinished), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=len(texts))
