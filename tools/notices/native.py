"""Native libraries that no distribution brings along or that need a word of their own, by the names of their files.

What lives here: the table. What must not: looking for the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tools.notices.component import Component, LicenceText, common_text

_GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
_GCC_TEXTS = (common_text("GPL-3.0"), common_text("GCC-exception-3.1"))
_PUBLIC_DOMAIN = LicenceText("public domain", "The authors have given it to the public domain.\n")


def _by(copyright_line: str, licence: str) -> tuple[LicenceText, ...]:
    return (LicenceText(licence, f"{copyright_line}\n\n{common_text(licence).content}"),)


LIBSNDFILE = Component(
    "libsndfile",
    "",
    "LGPL-2.1-or-later",
    (common_text("LGPL-2.1"),),
    "https://github.com/libsndfile/libsndfile",
    "A shared library of its own, in _soundfile_data/, which may be replaced by another build of it. In it are FLAC, "
    "Ogg, Vorbis and Opus (BSD-3-Clause), mpg123 (LGPL-2.1) and LAME (LGPL-2.0-or-later). The builds are those of "
    "https://github.com/bastibe/libsndfile-binaries, which names the sources and how they are built.",
)
LIBSOXR = Component(
    "libsoxr",
    "",
    "LGPL-2.1-or-later",
    (common_text("LGPL-2.1"),),
    "https://github.com/dofuuz/soxr",
    "Built into soxr's extension module, a shared library of its own that may be replaced by another build: "
    "`pip install --no-binary soxr soxr` makes one from the source.",
)

_TABLE: tuple[tuple[str, Component], ...] = (
    (r"libsndfile", LIBSNDFILE),
    (r"soxr_ext", LIBSOXR),
    (
        r"lib(ssl|crypto)[-.]",
        Component("OpenSSL", "", "Apache-2.0", (common_text("Apache-2.0"),), "https://github.com/openssl/openssl"),
    ),
    (
        r"libffi",
        Component("libffi", "", "MIT", _by("Copyright (c) 1996-2022 Anthony Green, Red Hat, Inc and others.", "MIT")),
    ),
    (r"libz\.|zlib1", Component("zlib", "", "Zlib", (common_text("Zlib"),))),
    (
        r"libbz2|bz2\.dll",
        Component("bzip2", "", "bzip2-1.0.6", _by("Copyright (C) 1996-2019 Julian R Seward.", "bzip2")),
    ),
    (r"liblzma", Component("xz (liblzma)", "", "public domain (5.4 and older) or 0BSD", (_PUBLIC_DOMAIN,))),
    (r"(lib)?sqlite3", Component("SQLite", "", "public domain", (_PUBLIC_DOMAIN,))),
    (
        r"libuuid",
        Component(
            "libuuid", "", "BSD-3-Clause", _by("Copyright (C) 1996-2007 Theodore Ts'o, Andreas Dilger.", "BSD-3-Clause")
        ),
    ),
    (
        r"lib(expat)",
        Component("Expat", "", "MIT", _by("Copyright (c) 1998-2000 Thai Open Source Software Center Ltd and Clark "
                                          "Cooper; (c) 2001-2025 Expat maintainers", "MIT")),
    ),
    (
        r"lib(ncurses|panel|tinfo|menu|form)",
        Component("ncurses", "", "X11", _by("Copyright 1998-2022 Free Software Foundation, Inc., Thomas E. Dickey",
                                            "X11")),
    ),
    (
        r"libcrypt[.-]",
        Component("libxcrypt", "", "LGPL-2.1-or-later", (common_text("LGPL-2.1"),),
                  "https://github.com/besser82/libxcrypt", "A shared library, which may be replaced by another build."),
    ),
    (
        r"lib(stdc\+\+|gcc_s|gfortran|quadmath|gomp|atomic)",
        Component("GCC's run-time libraries", "", _GCC, _GCC_TEXTS, "https://gcc.gnu.org",
                  "libstdc++, libgcc_s, libgfortran, libgomp; libquadmath is under the LGPL-2.1-or-later."),
    ),
    (
        r"libmvec",
        Component("the C library's vector functions (libmvec)", "", "LGPL-2.1-or-later", (common_text("LGPL-2.1"),),
                  "https://sourceware.org/glibc", "A shared library, which may be replaced by another build."),
    ),
    (
        r"(lib)?scipy_openblas|libopenblas",
        Component("OpenBLAS", "", "BSD-3-Clause",
                  _by("Copyright (c) 2011-2025 The OpenBLAS Project. All rights reserved.", "BSD-3-Clause"),
                  "https://github.com/OpenMathLib/OpenBLAS"),
    ),
    (
        r"libcudart|libnvjpeg|cudart64|nvjpeg64",
        Component("NVIDIA CUDA runtime and nvJPEG", "", "NVIDIA CUDA Toolkit EULA",
                  (LicenceText("NVIDIA CUDA Toolkit EULA",
                               "Redistributed as Attachment A of the CUDA Toolkit's end user licence agreement allows "
                               "(https://docs.nvidia.com/cuda/eula).\n"),),
                  "", "Brought by torchvision; unused without an NVIDIA card."),
    ),
    (
        r"vcruntime|msvcp|ucrtbase|api-ms-win",
        Component("Microsoft's C and C++ run-time libraries", "", "Microsoft Visual Studio licence terms",
                  (LicenceText("Distributable Code",
                               "Redistributed as the licence terms of Microsoft Visual Studio allow for the Visual C++ "
                               "Redistributable.\n"),)),
    ),
)  # fmt: skip


def components_named(files: Iterable[str]) -> tuple[list[Component], list[str]]:
    """The components that the names of files give away, and the names that give away none."""
    found: dict[str, Component] = {}
    unknown = []
    for name in sorted(files):
        component = next((one for pattern, one in _TABLE if re.match(pattern, name)), None)
        if component is None:
            unknown.append(name)
        else:
            found[component.name] = component
    return sorted(found.values(), key=lambda one: one.name.lower()), unknown
