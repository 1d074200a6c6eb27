"""Write the completion scripts beside this file, or with --check compare them with what the program prints.

python completions/generate.py [--check]
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = {"bash": "omnitwin.bash", "zsh": "_omnitwin", "fish": "omnitwin.fish"}
# Typer's zsh script only registers itself. Found through fpath it is itself the completer, and must answer at once.
ZSH_REGISTERS = "compdef _omnitwin_completion omnitwin"
ZSH_ANSWERS = f'if [[ $funcstack[1] == _omnitwin ]]; then\n  _omnitwin_completion "$@"\nelse\n  {ZSH_REGISTERS}\nfi'


def script(shell: str) -> str:
    """The completion script for a shell, as the installed program prints it, fit for the folder it is shipped to."""
    environment = {**os.environ, "_OMNITWIN_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "omnitwin"]
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip() + "\n"
    if shell == "zsh":
        assert ZSH_REGISTERS in text
        text = text.replace(ZSH_REGISTERS, ZSH_ANSWERS)
    return text


def main() -> int:
    stale = []
    for shell, name in FILES.items():
        text = script(shell)
        if "--check" in sys.argv:
            stale += [name] if (HERE / name).read_text(encoding="utf-8") != text else []
        else:
            (HERE / name).write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run: python completions/generate.py")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
