"""What makes two models give the same scores: a hash of their weights.

What lives here: hashing files and networks. What must not: loading either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def hash_file(path: Path) -> str:
    """`sha256:` and the hexadecimal hash of the file's content. Raises OSError."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def hash_network(network: Any) -> str:
    """`sha256:` and a hash over the names, types, shapes and values of a torch network's state."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return f"sha256:{digest.hexdigest()}"


def hash_files(paths: Sequence[Path]) -> str:
    """`hash_file` of the only path, or `sha256:` and a hash over the hashes of several. Raises OSError."""
    hashes = [hash_file(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else hash_text("\n".join(hashes))


def hash_text(text: str) -> str:
    """`sha256:` and the hexadecimal hash of `text` in UTF-8."""
    return f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"
