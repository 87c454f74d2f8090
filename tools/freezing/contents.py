"""What the frozen sidecar holds, and what it must not.

What lives here: names, which sidecar.spec and the test of the bundle share. What must not: building.
"""

from __future__ import annotations

import sys

PACKAGES = ("sidecar", "rpc", "schemas", "survey")
"""Ours, with all their modules: handlers are imported by name, which no analysis sees."""

SHIPPED_SOURCES = ("ml_runtime", "rpc", "schemas", "survey")
"""What the ML environment's interpreter runs: plain files beside the executable."""

LATE_LIBRARIES = (
    *("isal.isal_zlib", "pybase64", "soxr", "scipy.fft", "soundfile", "duckdb", "platformdirs"),
    *(("backports.zstd",) if sys.version_info < (3, 14) else ("compression.zstd",)),
)
"""Imported inside functions."""

FORBIDDEN = (
    *("torch", "torchvision", "torchaudio", "opensoundscape", "bioacoustics_model_zoo", "onnxruntime", "tensorflow"),
    *("numba", "llvmlite", "sklearn", "librosa", "timm", "ml_runtime"),
    *("pandas", "pyarrow", "polars", "fsspec", "matplotlib", "PIL", "tkinter", "_tkinter", "IPython"),
    *("pytest", "hypothesis", "setuptools", "pkg_resources", "pip"),
)
"""No module and no file of these may be in it, whatever a hook thinks."""

_SCIPY_UNUSED = (
    *("cluster", "constants", "datasets", "differentiate", "fftpack", "integrate", "interpolate", "io", "linalg"),
    *("misc", "ndimage", "odr", "optimize", "signal", "sparse", "spatial", "stats"),
)
"""scipy.fft alone is used; of the rest it imports scipy.special and scipy._lib."""

EXCLUDED = (
    *FORBIDDEN,
    *(f"scipy.{name}" for name in _SCIPY_UNUSED),
    *("duckdb.experimental", "adbc_driver_duckdb", "charset_normalizer"),
    *("asyncio", "multiprocessing", "distutils", "ensurepip", "idlelib", "lib2to3", "turtle", "curses", "sqlite3"),
    *("xmlrpc", "test", "readline", "attr", "attrs", "cattrs", "doctest", "pdb", "bdb", "tzdata"),
)
"""What libraries name but never need here."""

UNUSED_HOOKS = ("pyi_rth_inspect", "pyi_rth_pkgutil", "pyi_rth_multiprocessing", "pyi_rth_setuptools")
"""Start-up code of PyInstaller's that only serves tracebacks with source and what is excluded; 15 ms of every start."""
