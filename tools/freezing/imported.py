"""What is imported when all of ours is: native modules import others, which no reading of Python code can find.

What lives here: importing all of it once, in a process of its own. What must not: choosing what goes in (contents.py).
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

from tools.freezing.contents import EXCLUDED, LATE_LIBRARIES, PACKAGES


def imported_modules(root: Path) -> list[str]:
    """The names of all modules that are loaded once ours and the libraries that they import late are."""
    command = [sys.executable, "-m", "tools.freezing.imported"]
    names: list[str] = json.loads(subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout)
    return names


def our_modules() -> list[str]:
    """Every module of ours, but those that do something when imported."""
    packages = [importlib.import_module(name) for name in PACKAGES]
    found = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [*PACKAGES, *(name for name in found if not name.endswith("__main__"))]


def main() -> None:
    """Import and print."""
    before = set(sys.modules)
    for name in (*our_modules(), *LATE_LIBRARIES):
        importlib.import_module(name)
    unwanted = {name.split(".")[0] for name in EXCLUDED if "." not in name} | {"tools", "__mp_main__"}
    # Modules without a specification, or with that of another name, are made up by native ones while they load.
    specifications = {name: getattr(module, "__spec__", None) for name, module in sys.modules.items()}
    real = {name for name, found in specifications.items() if found is not None and found.name == name}
    names = sorted(name for name in real - before | {*our_modules()} if name.split(".")[0] not in unwanted)
    print(json.dumps(names))


if __name__ == "__main__":
    main()
