"""Large dense texts: read by all cores at once, the rows numbered afterwards.

What lives here: reading in any order, and finding the order again. What must not: what columns mean.

DuckDB writes rows in their order with one thread, which takes twice as long as reading them with two. So they are
written as they come, and numbered by a second reading, of recordings and times alone. Where those do not tell all
rows apart, or a row had to be left out, that cannot be done, and the table must be read in its order.
"""

from __future__ import annotations

import duckdb

from schemas.scores import RowProblem
from survey.tables.canonical import UNUSABLE, drop_unusable_clips
from survey.tables.loading import Loading
from survey.tables.sniff import ABSENT
from survey.tables.sources import TextSource
from survey.tables.wide import unordered

LARGE_BYTES = 8 << 20
_WORDS = [word for word in ABSENT if word]
_KEYS = 'path, "start", "end"'


def is_large(source: TextSource) -> bool:
    """Whether reading `source` in any order saves time; what is packed is read by one thread in any case."""
    return source.table.kind == "text" and source.path.stat().st_size >= LARGE_BYTES


def absent_in(source: TextSource) -> tuple[str, ...]:
    """The words for no value to look out for. Every word more costs time, so only those that the first rows use.

    Where another comes later, its row cannot be read, and the table is read in order, with all words.
    """
    used = any(cell.strip() in _WORDS for row in source.sample for cell in row)
    return ABSENT if used else ("",)


def fill_clips(
    cursor: duckdb.DuckDBPyConnection,
    schema: str,
    source: TextSource,
    relation: str,
    keys: str,
    scores: str,
    loading: Loading,
) -> list[RowProblem] | None:
    """Make the clips of a wide table; what is wrong with its rows. None, and no clips, when it must be read in order.

    `keys` are the columns of recording and times of `relation`, and `scores` those of scores.
    """
    loading.stage(0.7)
    with unordered(cursor):
        cursor.execute(f"CREATE TABLE {schema}.clips AS SELECT NULL::BIGINT AS row, {keys}, {scores} FROM {relation}")
    if not source.problems(cursor):
        loading.stage(0.2)
        # Numbers that the table gives by itself: counting rows while they are read would take one thread.
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE key_lines AS SELECT {keys} FROM {relation}")
        cursor.execute("CREATE OR REPLACE TEMP TABLE clip_keys AS SELECT rowid AS row, * FROM key_lines")
        cursor.execute("DROP TABLE key_lines")
        problems = drop_unusable_clips(cursor, "clip_keys", source, source.problems(cursor))
        if _number_rows(cursor, f"{schema}.clips"):
            return problems
    cursor.execute(f"DROP TABLE {schema}.clips")
    return None


def _number_rows(cursor: duckdb.DuckDBPyConnection, clips: str) -> bool:
    """Give each of `clips` the row of its key; whether every key has one clip, and every clip one key."""
    cursor.execute(f"DELETE FROM {clips} WHERE {UNUSABLE}")
    count = f"SELECT (SELECT count(*) FROM {clips}), count(*), count(DISTINCT ({_KEYS})) FROM clip_keys"
    counted = cursor.execute(count).fetchone()
    unnamed = cursor.execute("SELECT 1 FROM clip_keys WHERE path IN (SELECT unnest($1)) LIMIT 1", [_WORDS]).fetchone()
    if counted is None or len(set(counted)) > 1 or unnamed is not None:
        return False
    same = " AND ".join(f"clips.{key} = keys.{key}" for key in _KEYS.split(", "))
    cursor.execute(f"UPDATE {clips} AS clips SET row = keys.row FROM clip_keys AS keys WHERE {same}")
    cursor.execute("DROP TABLE clip_keys")
    return cursor.execute(f"SELECT 1 FROM {clips} WHERE row IS NULL LIMIT 1").fetchone() is None
