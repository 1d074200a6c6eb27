"""Print the lowest version that pyproject.toml allows of every runtime dependency, a `name==version` a line.

With these constraints pip installs the versions that the bounds promise to support (make test-lowest):

    python tools/lowest.py > constraints.txt
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest_pins(project: str) -> list[str]:
    """Return `name==version` for each dependency `name>=version` of a pyproject.toml. Raises ValueError for others."""
    pins = []
    for line in tomllib.loads(project)["project"]["dependencies"]:
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", line)
        if match is None:
            raise ValueError(f"{line!r} is not of the form name>=version")
        pins.append(f"{match[1]}=={match[2]}")
    return pins


def main() -> int:
    print("\n".join(lowest_pins(PROJECT.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
