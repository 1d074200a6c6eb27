"""Write the completion scripts beside this file, or with --check compare them with what the program prints.

python completions/generate.py [--check]
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = {"bash": "omnitwin.bash", "zsh": "_omnitwin", "fish": "omnitwin.fish", "powershell": "omnitwin.ps1"}
ZSH_ASKS = 'eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _OMNITWIN_COMPLETE=complete_zsh omnitwin)'
# What is changed in Typer's scripts: shell, its text, ours.
CHANGES = [
    # After `rotation=` goes the value, not a space.
    ("bash", "    return 0\n", "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n    return 0\n"),
    (
        "zsh",
        ZSH_ASKS,
        f"""local -a answer=( {ZSH_ASKS.removeprefix("eval ")} ) ending=()
  [[ $answer == *'="'* ]] && ending=(-S '')
  eval ${{answer/#%_arguments/_arguments -O ending}}""",
    ),
    # Typer's zsh script only registers itself. Found through fpath it is itself the completer, and must answer at once.
    (
        "zsh",
        "compdef _omnitwin_completion omnitwin\n",
        """if [[ $funcstack[1] == _omnitwin ]]; then
  _omnitwin_completion "$@"
else
  compdef _omnitwin_completion omnitwin
fi
""",
    ),
]


def script(shell: str) -> str:
    """The completion script for a shell, as the installed program prints it, fit for the folder it is shipped to."""
    environment = {**os.environ, "_OMNITWIN_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "omnitwin"]
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip() + "\n"
    for changed, theirs, ours in CHANGES:
        if changed == shell:
            assert text.count(theirs) == 1, f"Typer's script for {shell} no longer has: {theirs}"
            text = text.replace(theirs, ours)
    return text


def main() -> int:
    stale = []
    for shell, name in FILES.items():
        text, path = script(shell), HERE / name
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"out of date: {', '.join(stale)}; run: python completions/generate.py")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
