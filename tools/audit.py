"""Look for known vulnerabilities in omnitwin's dependencies, at the lowest allowed versions and as installed here.

pip-audit asks its advisory service over the internet. A package that the service does not know, or a service that
cannot be reached, is a failure, too. Options go to pip-audit, such as --vulnerability-service osv.

    python tools/audit.py [OPTIONS]
"""

import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from lowest import PROJECT, lowest_pins

AUDIT = [sys.executable, "-m", "pip_audit", "--strict", "--no-deps", "--disable-pip", "--progress-spinner", "off"]


def installed_pins(names: list[str]) -> list[str]:
    """Return `name==version` of packages and all their dependencies on this system. Raises PackageNotFoundError."""
    versions = {name: distribution(name).version for name in names}
    left = list(versions)
    while left:
        for line in distribution(left.pop()).requires or ():
            name = re.split(r"[^\w.-]", line, maxsplit=1)[0].replace("_", "-").lower()
            if name not in versions and "extra ==" not in line:
                with suppress(PackageNotFoundError):  # needed on other systems
                    versions[name] = distribution(name).version
                    left.append(name)
    return sorted(f"{name}=={version.split('+')[0]}" for name, version in versions.items())  # no builds: 2.13.0+cpu


def audit(what: str, pins: list[str], options: list[str]) -> bool:
    """Return whether the advisory service knows every pin and no vulnerability of any."""
    print(f"{what}: {', '.join(pins)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
        return subprocess.run([*AUDIT, "--requirement", requirements, *options], check=False).returncode == 0


def main(options: list[str]) -> int:
    """Audit both sets of versions. options: of pip-audit"""
    lowest = lowest_pins(PROJECT.read_text(encoding="utf-8"))
    installed = installed_pins([pin.split("==")[0] for pin in lowest])
    sound = [audit("Lowest allowed", lowest, options), audit("Installed", installed, options)]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
