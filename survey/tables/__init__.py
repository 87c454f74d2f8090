"""Score tables: the formats that users bring, one file each, read into one form with DuckDB.

    sniff.py            text or Parquet, delimiter, encoding, columns, which of them are numbers
    sources.py          a file's rows as a relation that SQL can select from, and the rows it had to leave out
    detect.py           which format a path holds
    opensoundscape.py   file,start_time,end_time,<class>...
    sparse.py           file,start_time,end_time,class,score; the way of all formats with a row per score
    birdnet.py raven.py audacity.py kaleidoscope.py chirpity.py    what the columns of those mean (meaning.py)
    folder.py           a folder of tables, one a recording
    dense_folder.py     the same of tables with a column per class
    job.py              the scores/ folder of a job
    canonical.py        the one form that all of them become
    wide.py             dense tables: a column per class, in DuckDB
    unordered.py        large dense texts, read by all cores at once
    long.py             a row per score: classes, recordings and clips get their numbers
    sorting.py          scores by class, the highest first
    columns.py          columns of numbers on disk, mapped into memory
    ordered.py          the same of a dense table, when all its classes are asked together
    loading.py          how far a loading is, and whether it is still wanted
    kept.py             what a table is on disk
    store.py            where tables in that form are kept, so that the second opening is instant

What must not live here: questions about scores (sidecar/scores), the wire.
"""
