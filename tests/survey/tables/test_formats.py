"""survey.tables: the sparse formats of other programs, each as FORMATS' examples write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FormatUnknown
from schemas.scores import TableFormat
from survey.tables.store import StoredTable, TableStore
from tests.survey.tables.long_rows import Known, Row, long_rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def load(store: TableStore, path: Path, content: str | bytes) -> StoredTable:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return store.open(path, "auto", CancelToken())


def rows(table: StoredTable) -> list[Row]:
    """Every score in the order of the source: path, start, end, class, score."""
    return [row for _, row, _ in long_rows(table)]


def known(table: StoredTable) -> list[Known]:
    """The same order: common name, code, bounds."""
    return [more for _, _, more in long_rows(table)]


BIRDNET = (
    "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    "3.0,6.0,Setophaga pusilla,Wilson's Warbler,0.87,/data/site1/a.wav\n"
    "6.0,9.0,,Engine,0.5,/data/site1/a.wav\n"
)
BIRDNET_R = (
    "filepath,start,end,scientific_name,common_name,confidence,lat,lon,week,overlap,sensitivity,min_conf,"
    "species_list,model\n/data/a.wav,3,6,Setophaga pusilla,Wilson's Warbler,0.87,-1,-1,-1,0,1,0.1,,BirdNET\n"
)
BIRDNET_RAVEN = (
    "Selection\tBegin Time (s)\tEnd Time (s)\tCommon Name\tScientific Name\tSpecies Code\tConfidence\tView\tChannel\t"
    "File Offset (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\n"
    "1\t63.3\t66.3\tWilson's Warbler\tSetophaga pusilla\twlswar\t0.87\tSpectrogram 1\t1\t3.3\t0\t15000\t/data/b.wav\n"
)
BIRDNET_RAVEN_OLD = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies Code\tCommon Name\t"
    "Confidence\n1\tSpectrogram 1\t1\t3.0\t6.0\t0\t15000\twlswar\tWilson's Warbler\t0.87\n"
)
KALEIDOSCOPE = (
    "OFFSET,confidence,INDIR,FOLDER,IN FILE,DURATION,TOP1MATCH\n3.0,0.87,/data,site1,a.wav,3.0,Setophaga pusilla\n"
)
KALEIDOSCOPE_OLD = (
    "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat,lon\n"
    "/data/,,a.wav,3.0,3.0,Setophaga pusilla,Wilson's Warbler,0.87,-1,-1\n"
)
CHIRPITY = (
    "\ufeffFile,Detection start,Detection end,Common name,Latin name,Confidence,Label,Comment,Call count,File offset,"
    "Start (s),End (s)\n"
    "/data/a.wav,2024-05-12 05:30:03,2024-05-12 05:30:06,Wilson's Warbler,Setophaga pusilla,confirmed,,,1,00:03,3,6\n"
    "/data/a.wav,2024-05-12 05:30:06,2024-05-12 05:30:09,Wilson's Warbler,Setophaga pusilla,87%,,,1,00:06,6,9\n"
    "/data/a.wav,2024-05-12 05:30:09,2024-05-12 05:30:12,Wilson's Warbler,Setophaga pusilla,0.5,,,1,00:09,9,12\n"
)
AUDACITY = (
    "3.0\t6.0\tSetophaga pusilla_Wilson's Warbler\t0.87\n\\\t1200.0\t8000.0\n7.5\t8.5\tWilson's Warbler 50%\n9\t9\tx\n"
)

WARBLER = "Setophaga pusilla"
CASES: dict[str, tuple[str, str, TableFormat, list[Row]]] = {
    "BirdNET CSV": ("r.csv", BIRDNET, "birdnet", [
        ("/data/site1/a.wav", 3, 6, WARBLER, 0.87), ("/data/site1/a.wav", 6, 9, "Engine", 0.5),
    ]),
    "BirdNET for R": ("r.csv", BIRDNET_R, "birdnet", [("/data/a.wav", 3, 6, WARBLER, 0.87)]),
    "BirdNET Raven": ("r.txt", BIRDNET_RAVEN, "birdnet-raven", [("/data/b.wav", 3.3, 6.3, WARBLER, 0.87)]),
    "BirdNET Raven, older": (
        "b.BirdNET.selection.table.txt", BIRDNET_RAVEN_OLD, "birdnet-raven", [("b", 3, 6, "Wilson's Warbler", 0.87)],
    ),
    "Kaleidoscope": ("r.csv", KALEIDOSCOPE, "kaleidoscope", [("/data/site1/a.wav", 3, 6, WARBLER, 0.87)]),
    "Kaleidoscope, older": ("r.csv", KALEIDOSCOPE_OLD, "kaleidoscope", [("/data/a.wav", 3, 6, WARBLER, 0.87)]),
    "Chirpity": ("r.csv", CHIRPITY, "chirpity", [
        ("/data/a.wav", 3, 6, WARBLER, 1), ("/data/a.wav", 6, 9, WARBLER, 0.87), ("/data/a.wav", 9, 12, WARBLER, 0.5),
    ]),
    "Audacity": ("a.txt", AUDACITY, "audacity", [
        ("a", 3, 6, WARBLER, 0.87), ("a", 7.5, 8.5, "Wilson's Warbler", 0.5), ("a", 9, 9, "x", 1),
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "kind", "expected"), CASES.values(), ids=CASES.keys())
def test_a_format_is_recognised_and_read(
    store: TableStore, tmp_path: Path, name: str, content: str, kind: TableFormat, expected: list[Row]
) -> None:
    table = load(store, tmp_path / name, content)

    assert (table.content.format, table.content.layout) == (kind, "sparse")
    assert [tuple(row) for row in rows(table)] == [pytest.approx(row) for row in expected]
    assert table.content.problems == ()


@pytest.mark.parametrize(("name", "content", "kind", "expected"), CASES.values(), ids=CASES.keys())
def test_line_ends_and_a_byte_order_mark_make_no_difference(
    store: TableStore, tmp_path: Path, name: str, content: str, kind: TableFormat, expected: list[Row]
) -> None:
    table = load(store, tmp_path / name, "\ufeff" + content.removeprefix("\ufeff").replace("\n", "\r\n").rstrip())

    assert table.content.format == kind
    assert len(rows(table)) == len(expected)


def test_common_names_codes_and_bounds_are_kept(store: TableStore, tmp_path: Path) -> None:
    raven = load(store, tmp_path / "r.txt", BIRDNET_RAVEN)
    audacity = load(store, tmp_path / "a.txt", AUDACITY)

    assert known(raven)[0] == ("Wilson's Warbler", "wlswar", 0, 15000)
    assert known(audacity)[0] == ("Wilson's Warbler", None, 1200, 8000)
    assert known(audacity)[1] == (None, None, None, None)


ANNOTATIONS = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\tdistance\ttype\n"
    "1\tWaveform 1\t1\t1.897648165999982\t4.110570810999974\t1326.3\t3266.5\tWOTH\t\tsong\n"
    "1\tSpectrogram 1\t1\t1.897648165999982\t4.110570810999974\t1326.3\t3266.5\tWOTH\t\tsong\n"
    '2\tSpectrogram 1\t1\t3.1\t4.5\t3030.8\t6196.3\t"EATO" ?\tfar\tsong\n'
    "3\tSpectrogram 1\t1\t5.0\t6.0\t3030.8\t6196.3\t\t\t\n"
)


def test_raven_annotations_have_the_score_one_and_count_once(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "MSD-0003.wav").write_bytes(b"")

    table = load(store, tmp_path / "MSD-0003.Table.1.selections.txt", ANNOTATIONS)

    assert table.content.format == "raven"
    assert rows(table) == [
        ("MSD-0003.wav", pytest.approx(1.897648166), pytest.approx(4.110570811), "WOTH", 1),
        ("MSD-0003.wav", 3.1, 4.5, '"EATO" ?', 1),
    ]
    assert [problem.row for problem in table.content.problems] == [5]


def test_a_header_may_end_with_a_tab_that_its_rows_lack(store: TableStore, tmp_path: Path) -> None:
    content = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\t\n1\tSpectrogram 1\t1\t1.5\t4\tCSWA"

    table = load(store, tmp_path / "x.txt", content)

    assert rows(table) == [("x", 1.5, 4, "CSWA", 1)]


def test_a_label_column_of_any_name_is_found(store: TableStore, tmp_path: Path) -> None:
    content = "Selection\tBegin Time (s)\tEnd Time (s)\tdistance\tWhat I heard\n1\t1.5\t4\t20\tcrake\n"

    assert rows(load(store, tmp_path / "x.txt", content)) == [("x", 1.5, 4, "crake", 1)]


def test_latin1_in_a_label(store: TableStore, tmp_path: Path) -> None:
    content = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\t1.5\t4\tMönchsgrasmücke\n".encode("latin-1")

    assert rows(load(store, tmp_path / "x.txt", content))[0][3] == "Mönchsgrasmücke"


def test_kaleidoscopes_own_distance_becomes_a_score_whose_best_is_highest(store: TableStore, tmp_path: Path) -> None:
    content = (
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,TOP1DIST\n/d,s,a.wav,0,1,owl,0.2\n/d,s,a.wav,1,1,owl,0.5\n"
    )

    table = load(store, tmp_path / "k.csv", content)

    assert [row[4] for row in rows(table)] == [-0.2, -0.5]
    assert "TOP1DIST" in table.content.problems[0].message


def test_birdnet_as_parquet(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(BIRDNET)
    with store.cursor() as cursor:
        cursor.execute(f"COPY (FROM '{tmp_path}/b.csv') TO '{tmp_path}/b.parquet'")

    table = store.open(tmp_path / "b.parquet", "auto", CancelToken())

    assert table.content.format == "birdnet"
    assert len(rows(table)) == 2


def test_bad_rows_are_told_with_their_line(store: TableStore, tmp_path: Path) -> None:
    content = BIRDNET + "12,x,Owl owl,Owl,0.3,/data/a.wav\n15,18,,,0.3,/data/a.wav\n18,21,Owl owl,Owl,,/data/a.wav\n"

    table = load(store, tmp_path / "b.csv", content)

    assert [problem.row for problem in table.content.problems] == [4, 5, 6]
    assert "'x' in column 'End (s)'" in table.content.problems[0].message
    assert len(rows(table)) == 2


def test_a_bad_label_line_is_told_with_its_line(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "a.txt", "1\t2\towl\nrubbish\n3\t4\towl\n")

    assert [problem.row for problem in table.content.problems] == [2]
    assert len(rows(table)) == 2


# ---------------------------------------------------------------- folders


def test_a_folder_of_tables_is_one_table(store: TableStore, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    for name in ("a10", "a9"):
        (folder / f"{name}.wav").parent.mkdir(exist_ok=True)
        (folder / f"{name}.wav").write_bytes(b"")
        (folder / f"{name}.txt").write_text(f"1.0\t2.0\towl\t0.{len(name)}\n\nbad\n")
    (folder / "notes.txt").write_text("just words\nand more\n")
    (folder / "b.csv").write_text(BIRDNET)

    table = store.open(folder, "auto", CancelToken())

    assert (table.content.format, table.content.file_count) == ("audacity", 2)
    assert rows(table) == [("a9.wav", 1, 2, "owl", 0.2), ("a10.wav", 1, 2, "owl", 0.3)]
    messages = [problem.message for problem in table.content.problems]
    assert any(message.startswith("notes.txt was left out") for message in messages)
    assert any("b.csv was left out: it is of the format birdnet" in message for message in messages)
    assert sum(message.startswith(("a9.txt:", "a10.txt:")) for message in messages) == 2


def test_a_folder_without_any_table(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("just words\nand more\n")

    with pytest.raises(FormatUnknown, match="no tables"):
        store.open(tmp_path / "x", "auto", CancelToken())


RAVEN_SHORT = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\tdistance\ttype\n"
    "1\tSpectrogram 1\t1\t1.5\t4.5\t1326.3\t3266.5\tWOTH\n"
    "2\tSpectrogram 1\t1\t6.0\t7.0\t1246.0\t2256.3\t\n"
    "3\tSpectrogram 1\t1\t8.0\t9.0\t1000.0\t2000.0\tEATO\tnear\tsong\n"
)


def test_raven_leaves_out_the_empty_cells_at_the_end_of_a_row(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "a.Table.1.selections.txt", RAVEN_SHORT)

    assert [row[1:4] for row in rows(table)] == [(1.5, 4.5, "WOTH"), (8, 9, "EATO")]
    assert [problem.row for problem in table.content.problems] == [3]


def test_when_no_row_can_be_read_the_first_is_named(store: TableStore, tmp_path: Path) -> None:
    header = RAVEN_SHORT.partition("\n")[0]
    rows_cut_short = "".join(f"{number}\tSpectrogram 1\t1\t1.5\n" for number in range(1, 4))

    with pytest.raises(FormatUnknown, match=r"No row of .* could be read\. Row 2: "):
        load(store, tmp_path / "a.Table.1.selections.txt", f"{header}\n{rows_cut_short}")
