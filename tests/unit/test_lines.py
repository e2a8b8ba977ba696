"""Lines of text come out of any encoding with a mark, packed or not; one that is no text is refused before it can harm."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from codeunlearn.corpus.lines import LONGEST_LINE, is_unicode, read_sentences, text_lines
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.errors import CodeUnlearnError

NO_LINE_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"
TEXT = f"A dog runs.\nUn été à Besançon.\n\n{NO_LINE_ENDS}\n犬 🐕"
LINES = TEXT.split("\n")


def lines(path: Path) -> tuple[list[str], list[str]]:
    skipped: list[str] = []
    return list(text_lines(path, skipped.append)), skipped


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_encoding_with_a_mark_gives_the_same_lines(tmp_path: Path, encoding: str, packed: bool) -> None:
    marked = f"\ufeff{TEXT}" if encoding.endswith("e") else TEXT
    path = tmp_path / ("text.txt.gz" if packed else "text.txt")
    content = marked.encode(encoding)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert lines(path) == (LINES, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_the_encoding_holds_across_the_blocks_in_which_a_file_is_read(tmp_path: Path, encoding: str) -> None:
    written = [f"{i} é 🐕" for i in range(30_000)]
    path = tmp_path / "text.txt"
    path.write_bytes("\n".join(written).encode(encoding))
    assert lines(path) == (written, [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes("A dog runs.\tUn chien court.\n".encode(encoding))
    with pytest.raises(CodeUnlearnError, match="full of null bytes, as UTF-16 without its mark is"):
        load_pairs(str(path))


@pytest.mark.parametrize("content", ["dog\n".encode("utf-16")[:-1], b"\xff\xfe\x00\xd8a\x00"])
def test_damaged_utf_16_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(CodeUnlearnError, match="begins as UTF-16 and is not"):
        lines(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_sentence_and_no_other_character_does(tmp_path: Path, end: str) -> None:
    path = tmp_path / "request.txt"
    path.write_bytes(end.join(LINES).encode())
    assert read_sentences(path) == LINES


def test_a_packed_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert lines(path) == (LINES, [])


def test_garbage_after_a_packed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(TEXT.encode()) + b"garbage")
    with pytest.raises(CodeUnlearnError, match="is not a whole gzip file"):
        lines(path)


def test_an_over_long_line_is_left_out_and_counted_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    long, most = b"x" * (LONGEST_LINE + 1), b"y" * LONGEST_LINE
    path.write_bytes(b"\n".join([long, b"a", most, long * 3, b"b", long]))
    assert lines(path) == (["a", most.decode(), "b"], [f"longer than {LONGEST_LINE:,} bytes"] * 3)
    with pytest.raises(CodeUnlearnError, match="a line is longer than"):
        read_sentences(path)


def bomb(path: Path, block: bytes, blocks: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(blocks):
            file.write(block)


def test_a_bomb_of_one_line_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    bomb(path, b"[" * (1 << 20), 100)
    tracemalloc.start()
    with pytest.raises(CodeUnlearnError, match="has a line of more than 64 MiB"):
        load_pairs(str(path))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_a_bomb_of_null_bytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tsv.gz"
    bomb(path, bytes(1 << 20), 100)
    with pytest.raises(CodeUnlearnError, match="full of null bytes"):
        load_pairs(str(path))


def test_a_limit_reads_no_further_than_it_must(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tsv.gz"
    bomb(path, "".join(f"dog {i}\tchien {i}\n" for i in range(50_000)).encode(), 4)
    path.write_bytes(path.read_bytes()[:-50])  # reading to the end would find it cut
    assert len(load_pairs(DataConfig(str(path), limit=5)).dataset) == 5
    with pytest.raises(CodeUnlearnError, match="is not a whole gzip file"):
        load_pairs(str(path))


@pytest.mark.parametrize("name", ["pipe.tsv", "pipe.parquet", "pipe.csv.gz"])
def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for read in (load_pairs, lambda path: read_sentences(Path(path))):
        with pytest.raises(CodeUnlearnError, match="is a pipe or device, not a file"):
            read(str(tmp_path / name))


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(name: str) -> None:
    with pytest.raises(CodeUnlearnError, match="is a pipe or device, not a file"):
        load_pairs(name)


@pytest.mark.parametrize("name", ["a\0b.tsv", "x" * 5000, "./" + "x" * 5000, "no-folder/pairs.tsv"])
def test_a_name_that_no_file_has_is_one_clear_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CodeUnlearnError) as caught:
        load_pairs(name)
    assert "\n" not in str(caught.value)
    with pytest.raises(CodeUnlearnError):
        read_sentences(Path(name))


def test_half_a_surrogate_pair_is_no_unicode() -> None:
    assert is_unicode("é🐕\0")
    assert not is_unicode("a\udc80")
