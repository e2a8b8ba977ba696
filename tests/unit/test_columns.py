"""The two columns are those that were asked for, or the parallel text; metadata is never taken for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codeunlearn.corpus.loading import DataConfig, LoadedPairs, load_pairs
from codeunlearn.errors import CodeUnlearnError

PAIRS = [("A dog runs.", "Un chien court."), ("I love it.", "Je l’aime."), ("She sleeps.", "Elle dort.")]
OPUS = [{"source": "opus_books", "target": "train", "translation": {"en": s, "fr": t}} for s, t in PAIRS]


def read(loaded: LoadedPairs) -> list[tuple[str, str]]:
    return list(zip(loaded.dataset["source"], loaded.dataset["target"], strict=True))


def write(path: Path, records: list[Any]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(records), path)
    return path


def write_tsv(path: Path, rows: list[tuple[str, ...]]) -> Path:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(params=["pairs.jsonl", "pairs.parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


def test_a_translation_comes_before_metadata_of_a_likelier_name(path: Path) -> None:
    loaded = load_pairs(str(write(path, OPUS)))
    assert read(loaded) == PAIRS
    assert loaded.report.columns == ("translation.en", "translation.fr")
    assert str(loaded.report) == f"3 pairs from {path}, columns translation.en, translation.fr"


def test_a_pair_of_constants_is_passed_over_for_a_pair_of_sentences(path: Path) -> None:
    records = [{"source": "opus_books", "target": "train", "en": s, "fr": t} for s, t in PAIRS]
    assert read(load_pairs(str(write(path, records)))) == PAIRS


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"source": "opus_books", "target": "train"}, "column 'source' holds 'opus_books' in every row"),
        ({"source": 3, "target": 4.5}, "column 'source' holds no words, only such as 3"),
        ({"source": "2020-01-31", "target": "17:05"}, "column 'source' holds no words, only such as '2020-01-31'"),
    ],
)
def test_metadata_is_refused_whether_guessed_or_named(path: Path, metadata: dict[str, Any], message: str) -> None:
    write(path, [{**metadata, "english": s, "french": t, "id": i} for i, (s, t) in enumerate(PAIRS)])
    named = DataConfig(str(path), source_column="source", target_column="french")
    with pytest.raises(CodeUnlearnError, match=message):
        load_pairs(named)
    write(path, [{**metadata, "text": s} for s, _ in PAIRS])
    with pytest.raises(CodeUnlearnError, match=f"has the columns source, target, text, and {message}"):
        load_pairs(str(path))


def test_constants_are_not_seen_where_only_the_limit_makes_them(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "pairs.tsv", [("Go.", f"Va {word}.") for word in "abc"] + [("Hi.", "Salut.")])
    assert read(load_pairs(DataConfig(str(path), limit=3))) == [("Go.", f"Va {word}.") for word in "abc"]


@pytest.mark.parametrize(
    ("source", "target"),
    [("word", "mot"), ("3", "2"), ("Word", "MOT"), (" word ", "2"), ("3", "mot")],
)
def test_columns_by_name_and_by_number(path: Path, source: str, target: str) -> None:
    write(path, [{"id": f"n{i}", "mot": t, "word": s} for i, (s, t) in enumerate(PAIRS)])
    loaded = load_pairs(DataConfig(str(path), source_column=source, target_column=target))
    assert read(loaded) == PAIRS
    assert loaded.report.columns == ("word", "mot")


@pytest.mark.parametrize("header", [(), ("id", "fr", "en"), ("id", " FR ", "En")])
def test_the_columns_of_a_tsv_by_number(tmp_path: Path, header: tuple[str, ...]) -> None:
    rows = [(f"n{i}", t, s) for i, (s, t) in enumerate(PAIRS)]
    path = write_tsv(tmp_path / "pairs.tsv", [header, *rows] if header else rows)
    loaded = load_pairs(DataConfig(str(path), source_column="3", target_column="2"))
    assert read(loaded) == PAIRS
    assert loaded.report.columns == ((header[2], header[1]) if header else ("3", "2"))


def test_a_name_that_is_a_number_comes_before_the_number(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "pairs.tsv", [("2", "x", "1"), *((t, "none", s) for s, t in PAIRS)])
    assert read(load_pairs(DataConfig(str(path), source_column="1", target_column="2"))) == PAIRS


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("4", "2", "has no column '4'; it has 1, 2, 3"),
        ("0", "2", "has no column '0'"),
        ("-1", "2", "has no column '-1'"),
        ("2", "2", "'2' and '2' are the same column"),
        ("1", "2", "column '1' holds no words, only such as '1'"),
        ("3", None, "Name both columns"),
        ("", "2", "Name both columns"),
    ],
)
def test_a_column_that_cannot_be_is_one_clear_error(
    tmp_path: Path, source: str, target: str | None, message: str
) -> None:
    path = write_tsv(tmp_path / "pairs.tsv", [(str(i), t, s) for i, (s, t) in enumerate(PAIRS)])
    with pytest.raises(CodeUnlearnError, match=message):
        load_pairs(DataConfig(str(path), source_column=source, target_column=target))


def test_numbered_rows_without_a_header_are_not_taken_for_sentences(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "pairs.tsv", [(str(i), s, t) for i, (s, t) in enumerate(PAIRS)])
    with pytest.raises(CodeUnlearnError, match=r"column '1' holds no words.*; name two columns with --source-column"):
        load_pairs(str(path))


def test_a_header_with_a_name_twice_is_not_guessed_at(tmp_path: Path) -> None:
    path = write_tsv(
        tmp_path / "pairs.tsv", [("en", "fr", "en"), *((s, t, "x y z"[i]) for i, (s, t) in enumerate(PAIRS))]
    )
    with pytest.raises(CodeUnlearnError, match="has the columns en, fr, en; name two columns"):
        load_pairs(str(path))
    with pytest.raises(CodeUnlearnError, match=r"has 2 columns 'en'; give the number of one: 1 \(en\), 3 \(en\)"):
        load_pairs(DataConfig(str(path), source_column="en", target_column="fr"))
    assert read(load_pairs(DataConfig(str(path), source_column="1", target_column="fr"))) == PAIRS


def test_columns_may_be_nested_deeper(path: Path) -> None:
    write(path, [{"id": i, "data": {"pair": {"english": s, "french": t}}} for i, (s, t) in enumerate(PAIRS)])
    assert read(load_pairs(str(path))) == PAIRS
    named = DataConfig(str(path), source_column="data.pair.french", target_column="english")
    assert read(load_pairs(named)) == [(t, s) for s, t in PAIRS]


def test_a_first_row_without_a_translation_hides_no_column(path: Path) -> None:
    loaded = load_pairs(str(write(path, [{"translation": None}, *OPUS])))
    assert read(loaded) == PAIRS
    assert loaded.report.skipped == {"with a side missing": 1}


def test_a_name_with_dots_is_a_name(path: Path) -> None:
    write(path, [{"text.en": s, "text.fr": t} for s, t in PAIRS])
    assert read(load_pairs(DataConfig(str(path), source_column="text.en", target_column="text.fr"))) == PAIRS


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_every_type_of_text_that_parquet_has_is_text(tmp_path: Path, kind: Any) -> None:
    columns = [pa.array(side).cast(kind) for side in zip(*PAIRS, strict=True)]
    pq.write_table(pa.table(columns, names=["en", "fr"]), tmp_path / "pairs.parquet")
    assert read(load_pairs(str(tmp_path / "pairs.parquet"))) == PAIRS


def test_a_parquet_file_with_a_damaged_page_is_one_clear_error(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.parquet", [{"en": f"dog {i}", "fr": f"chien {i}"} for i in range(5000)])
    content = bytearray(path.read_bytes())
    content[100:2000] = b"\xff" * 1900
    path.write_bytes(content)
    with pytest.raises(CodeUnlearnError, match="cannot be read as Parquet") as caught:
        load_pairs(str(path))
    assert "\n" not in str(caught.value)


def test_a_header_of_any_characters_stays_on_one_line_of_a_message(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(
        f'"{"x" * 99}","two\nlines\u2028\x1b[31m"\n' + "".join(f"{s},{t}\n" for s, t in PAIRS), encoding="utf-8"
    )
    with pytest.raises(CodeUnlearnError, match=r"it has x{37}\.\.\., two\\nlines\\u2028\\x1b\[31m\.$"):
        load_pairs(DataConfig(str(path), source_column="en", target_column="fr"))
