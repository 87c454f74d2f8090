"""Which members of an archive are safe to extract.

What lives here: judging names, links and modes; a record of what was let in so far. What must not: reading or
writing anything.
"""

from __future__ import annotations

import posixpath
import re
import stat
import sys

from sidecar.environment.members import Member

MAX_FILES = 2_000_000
MAX_BYTES = 100 * 1024**3
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 3000
_WINDOWS_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Refused(Exception):
    """A member must not be extracted; the message says why, as the end of a sentence."""


class MemberRules:
    """Judges members in their order; each call may depend on what was let in before."""

    def __init__(self, *, ignores_case: bool = sys.platform in ("win32", "darwin")) -> None:
        self._ignores_case = ignores_case
        self._kinds: dict[str, str] = {"": "folder"}
        self._bytes = 0

    def admit(self, member: Member) -> str:
        """The path of the member below the environment, with forward slashes; "" is the environment itself.

        Raises
        ------
        Refused
        """
        path = _safe_path(member.name)
        self._refuse_duplicates(path, member)
        self._refuse_ways_through_links(path)
        if member.kind in ("file", "hardlink") and member.mode & (stat.S_ISUID | stat.S_ISGID):
            raise Refused("has a set-uid or set-gid bit")
        if member.kind == "symlink":
            _refuse_leading_out(path, member.target)
        self._bytes += member.size
        if self._bytes > MAX_BYTES or len(self._kinds) > MAX_FILES:
            raise Refused(f"goes beyond {MAX_FILES:,} files or {MAX_BYTES // 1024**3} GB")
        self._enter(path, member)
        return path

    def admit_target(self, member: Member) -> str:
        """The path of the file that a hard link names.

        Raises
        ------
        Refused
        """
        target = _safe_path(member.target)
        if self._kinds.get(self._key(target)) not in ("file", "hardlink"):
            raise Refused(f"is a hard link to {member.target!r}, which is no file before it in the archive")
        return target

    def _refuse_duplicates(self, path: str, member: Member) -> None:
        known = self._kinds.get(self._key(path))
        if known is not None and not (known == "folder" and member.kind == "folder"):
            raise Refused("is in the archive twice")

    def _refuse_ways_through_links(self, path: str) -> None:
        parent = posixpath.dirname(path)
        while parent:
            kind = self._kinds.get(self._key(parent))
            if kind is not None and kind != "folder":
                raise Refused("lies behind a link or a file")
            if kind == "folder":
                return
            parent = posixpath.dirname(parent)

    def _enter(self, path: str, member: Member) -> None:
        self._kinds[self._key(path)] = member.kind
        parent = posixpath.dirname(path)
        while parent and self._key(parent) not in self._kinds:
            self._kinds[self._key(parent)] = "folder"
            parent = posixpath.dirname(parent)

    def _key(self, path: str) -> str:
        return path.casefold() if self._ignores_case else path


def _safe_path(name: str) -> str:
    """A member's name as a relative path without dots."""
    if "\0" in name:
        raise Refused("has a name with a zero byte")
    if not name.isascii() and not _is_unicode(name):
        raise Refused("has a name that is not UTF-8")
    if name.startswith("/"):
        raise Refused("has an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Refused("has a path with '..'")
    for part in parts:
        _refuse_name(part)
    path = "/".join(parts)
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise Refused("has an over-long path")
    return path


def _refuse_name(part: str) -> None:
    if len(part.encode()) > _MAX_NAME_BYTES:
        raise Refused("has an over-long name")
    if sys.platform == "win32" and (
        re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$', part) or _WINDOWS_RESERVED.fullmatch(part)
    ):
        raise Refused("has a name that Windows does not allow")


def _refuse_leading_out(path: str, target: str) -> None:
    """A symbolic link may only lead to somewhere inside; archive.py also looks where chains of links lead."""
    if not target or "\0" in target:
        raise Refused("is a link without a usable target")
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target):
        raise Refused(f"is a link to {target!r}, an absolute path")
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if resolved == ".." or resolved.startswith("../"):
        raise Refused(f"is a link to {target!r}, which leads out of the archive")


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
