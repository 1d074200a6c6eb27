"""A real shell on a pretended terminal, with the shipped completions where the wheel puts them."""

import os
import re
import select
import shutil
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
PATIENCE = 60  # seconds; a TAB takes a third of one on a free machine
ESCAPE = re.compile(r"\x1b(\[[0-9;?>=]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])|[\x07\x0f]")
# A session leader takes the terminal as its own, which shells ask for; then it becomes the shell.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
# What the shell takes for omnitwin: asked to complete it is the program, else it writes down what it was called with.
PROGRAM = """#!/bin/sh
if [ -n "$_OMNITWIN_COMPLETE" ]; then exec "{python}" -m omnitwin "$@"; fi
printf '%s\\n' "$@" > "{words}.part"
mv "{words}.part" "{words}"
"""
STARTS = {
    "bash": (["bash", "--rcfile", "{home}/.bashrc", "-i"], ".bashrc"),
    "zsh": (["zsh", "-d", "-i"], ".zshrc"),  # -d: not the machine's own start-up files
    "fish": (["fish", "--interactive"], ".config/fish/config.fish"),
}
SETTINGS = {
    "bash": """
PS1='ready> '
source {share}/bash-completion/completions/omnitwin
""",
    "zsh": """
PS1='ready> '
fpath=({share}/zsh/site-functions $fpath)
autoload -Uz compinit
compinit -u
""",
    # finds the completions through XDG_DATA_DIRS
    "fish": """
set fish_greeting
function fish_prompt; echo 'ready> '; end
""",
}


def lay_out_completions(folder: Path) -> Path:
    """The shared data of the wheel, under folder as under the prefix that it is installed to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for source, target in project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"].items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, folder / target)
    return folder / "share"


class Shell:
    """An interactive shell in the folder `files`; within the context it can be typed to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.files, self.words = folder / "files", folder / "words"
        home, programs, share = folder / "shell-home", folder / "bin", lay_out_completions(folder / "prefix")
        for path in (self.files, home, programs):
            path.mkdir()
        program = programs / "omnitwin"
        program.write_text(PROGRAM.format(python=sys.executable, words=self.words), encoding="utf-8")
        program.chmod(0o755)
        (home / ".local" / "share" / "fish" / "generated_completions").mkdir(parents=True)  # else fish makes them first
        command, settings = STARTS[name]
        (home / settings).parent.mkdir(parents=True, exist_ok=True)
        (home / settings).write_text(SETTINGS[name].format(share=share), encoding="utf-8")
        self.command = [word.format(home=home) for word in command]
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "OMNITWIN_HOME": os.environ["OMNITWIN_HOME"],
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "XDG_DATA_DIRS": f"{share}:/usr/local/share:/usr/share",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }
        self.shown = ""

    def __enter__(self) -> Self:
        self.terminal, inside = os.openpty()
        termios.tcsetwinsize(inside, (40, 100))
        command = [sys.executable, "-c", TAKE_TERMINAL, *self.command]
        streams = {"stdin": inside, "stdout": inside, "stderr": inside}
        self.process = subprocess.Popen(
            command, cwd=self.files, env=self.environment, start_new_session=True, **streams
        )
        os.close(inside)
        os.set_blocking(self.terminal, False)
        self.wait_for("ready>")
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def type(self, keys: str) -> None:
        self.shown = ""
        os.write(self.terminal, keys.encode())

    def wait_for(self, *words: str) -> None:
        """Until all the words are shown, each by itself, since something was typed."""
        self._wait(lambda: set(words) <= set(self.shown.split()), f"{words} to be shown")

    def run(self, keys: str) -> list[str]:
        """The words that omnitwin is called with when these keys and Enter are pressed."""
        self.words.unlink(missing_ok=True)
        self.type(keys + "\r")
        self._wait(self.words.exists, "omnitwin to be called")
        return self.words.read_text(encoding="utf-8").splitlines()

    def _wait(self, done, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"waited in vain for {what}; the terminal shows:\n{self.shown}"
            if select.select([self.terminal], [], [], 0.05)[0]:
                self.shown = ESCAPE.sub("", self.shown + os.read(self.terminal, 65536).decode(errors="replace"))
