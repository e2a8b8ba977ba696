"""Quotes quote where a program wrote them, and are text where a person did; columns stay where the first rows have them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from codeunlearn.corpus.loading import LoadedPairs, load_pairs
from codeunlearn.errors import CodeUnlearnError

HARD = [
    ('He said "hi", and left.', "Il dit « salut », et partit."),
    ("Two\nlines.", "Deux\nlignes."),
    ("A\ttab; and more.", "Une\ttabulation ; etc."),
    ('"All of it."', '"Tout."'),
    ("Plain.", "Simple."),
]


def read(loaded: LoadedPairs) -> list[tuple[str, str]]:
    return list(zip(loaded.dataset["source"], loaded.dataset["target"], strict=True))


def loaded(path: Path, content: str) -> LoadedPairs:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return load_pairs(str(path))


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.csv.gz", "pairs.tsv", "pairs.tsv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_fields_come_back_as_they_were(
    tmp_path: Path, name: str, delimiter: str, quoting: int, header: bool, end: str
) -> None:
    if name.startswith("pairs.tsv") and delimiter != "\t":
        name = name.replace("tsv", "csv")
    path = tmp_path / "written"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)  # pyright: ignore[reportArgumentType]
        writer.writerows([("en", "fr")] * header + HARD)
    assert read(loaded(tmp_path / name, path.read_bytes().decode())) == HARD


@pytest.mark.parametrize(
    "lines",
    [
        ['"Hello," he said.\t« Bonjour », dit-il.', 'It is 5" long.\tÇa fait 5".'],
        ['"Come here!\tViens ici !', "A dog.\tUn chien."],
        ['"It is late.\t« Il est tard.', 'Good night."\tBonne nuit. »', "A dog.\tUn chien."],
        ['"All of it."\tTout.', "A dog.\tUn chien."],
        ['"\tGuillemet', "A dog.\tUn chien."],
    ],
)
def test_quotes_that_people_wrote_stay_in_the_sentences(tmp_path: Path, lines: list[str]) -> None:
    wanted = [tuple(line.split("\t")) for line in lines]
    found = loaded(tmp_path / "pairs.tsv", "".join(f"{line}\n" for line in lines))
    assert (read(found), found.report.skipped) == (wanted, {})


def test_quotes_are_known_from_the_first_part_of_a_large_file(tmp_path: Path) -> None:
    rows = [(f'Dog {i} says "wuff".', f"Le chien {i} dit « ouaf ».\nDeux fois.") for i in range(20_000)]
    path = tmp_path / "pairs.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
    assert read(load_pairs(str(path))) == rows


@pytest.mark.parametrize(
    "content",
    [
        'en,fr\nA dog.,"Un chien.\nA cat.,Un chat.\n',
        'en,fr\nA dog.,"Un" chien.\n',
    ],
)
def test_a_quote_that_ends_nowhere_is_one_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(CodeUnlearnError, match=r"pairs.csv cannot be read at line \d+ \(.*\); put a field"):
        loaded(tmp_path / "pairs.csv", content)


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.csv"])
def test_a_row_whose_columns_have_moved_is_left_out(tmp_path: Path, name: str) -> None:
    d = "\t" if name.endswith("tsv") else ","
    rows = [
        "en{d}fr",
        "A dog.{d}Un chien.",
        "A{d}cat.{d}Un chat.",
        "Empty end.{d}Fin vide.{d}{d}",
        "Alone.",
        "",
        "B b.{d}C c.",
    ]
    found = loaded(tmp_path / name, "".join(row.format(d=d) + "\n" for row in rows))
    assert read(found) == [("A dog.", "Un chien."), ("Empty end.", "Fin vide."), ("B b.", "C c.")]
    assert found.report.skipped == {"with more than 2 columns": 1, "with a side missing": 2}


def test_a_field_that_is_not_utf_8_costs_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(b'en,fr\nA dog.,Un chien.\nA cat.,"Un \xe9t\xe9\nchaud."\nA cow.,Une vache.\n')
    found = load_pairs(str(path))
    assert read(found) == [("A dog.", "Un chien."), ("A cow.", "Une vache.")]
    assert found.report.skipped == {"not UTF-8": 1}
