"""Everything that omnitwin refuses, as one tree. `cli.main` turns an error into one line and an exit code.

OmnitwinError
├── BadInput            2   a wrong word or image was given
│   └── BadImage            not an image, missing, truncated or too large
├── CannotRun           3   the words are right, but something is missing
│   ├── DatasetMissing      nothing is downloaded, and the network is forbidden
│   ├── DatasetCorrupt      a zip, folder or packed file holds something else
│   ├── DownloadFailed      the network fails, after all attempts
│   ├── DeviceMissing       this machine has no such device
│   ├── BadCheckpoint       not a checkpoint, another version, or damaged
│   ├── CannotWrite         the disk is full, or permission is missing
│   ├── FolderInUse         another process writes there
│   └── TrainingDiverged    the loss is no longer a number
An interruption is no error: a training run's report names the signal that stopped it.
"""

from enum import IntEnum

# In the errors of torch, of the libraries below it, of threads that cannot be started and of the dynamic loader.
SHORTAGE = ("out of memory", "llocate memory", "ALLOC_FAILED", "bad_alloc", "bad allocation", "can't start new thread")


def is_shortage(error: BaseException) -> bool:
    """Return whether an error means too little memory, on the machine or on a GPU."""
    if isinstance(error, OSError):
        return error.errno is None and any(words in str(error) for words in SHORTAGE)  # else the system's own words
    told = isinstance(error, RuntimeError | ImportError) and any(words in str(error) for words in SHORTAGE)
    return told or isinstance(error, MemoryError)


class ExitCode(IntEnum):
    """What the program exits with. docs/COMMANDS.md shows the comments as the meanings."""

    DONE = 0  # done; `compare`: same; `search`: found
    DIFFERENT = 1  # `compare`: different; `search`: nothing found; `duplicates`: some; nothing else ever exits 1
    BAD_INPUT = 2  # a wrong word or image was given
    CANNOT_RUN = 3  # something is missing: data, a device, a sound checkpoint, room on the disk
    CANNOT_TELL = 4  # `compare`, `search`: cannot tell, as an image is nothing that the network can judge
    UNEXPECTED = 70  # a bug, never to be mistaken for "different" (EX_SOFTWARE of sysexits.h)
    HUNG_UP = 129  # the terminal was closed (128 + SIGHUP)
    INTERRUPTED = 130  # interrupted, by Ctrl-C (128 + SIGINT)
    TERMINATED = 143  # terminated (128 + SIGTERM)


class OmnitwinError(Exception):
    """The message says what is wrong and why; the hint says what to do next."""

    exit_code = ExitCode.CANNOT_RUN
    hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def line(self) -> str:
        text = " ".join(str(self).split())  # a library's message may have several
        if not text.endswith((".", "!", "?")):
            text += "."
        return f"{text} {self.hint}".rstrip()


class BadInput(OmnitwinError):
    """A wrong word or image was given (exit code 2)."""

    exit_code = ExitCode.BAD_INPUT


class BadImage(BadInput):
    """A file or an array is not an image, is blank, too large or damaged."""

    hint = "Give a PNG, JPEG or any other image file."


class CannotRun(OmnitwinError):
    """Something is missing: data, a device, a sound checkpoint, room on the disk (exit code 3)."""


class DatasetMissing(CannotRun):
    """A data set is not here, and the network is forbidden."""

    hint = "Run: omnitwin download"


class DatasetCorrupt(CannotRun):
    """A zip, folder or packed file holds something else than it should."""

    hint = "Fetch it again (omnitwin download --force), or name another source (--from)."


class DownloadFailed(CannotRun):
    """The network fails, after all attempts."""

    hint = "Try again (what has arrived is kept), or name another source: omnitwin download --from FOLDER, ZIP or URL"


class DeviceMissing(CannotRun):
    """This machine has no such device."""

    hint = "Use --device auto for the best one there is."


class BadCheckpoint(CannotRun):
    """A file is not a checkpoint, is damaged or of another version; or no run has that name."""

    hint = "Train one: omnitwin train --recipe fast"


class CannotWrite(CannotRun):
    """A file cannot be written: the disk is full, or permission is missing."""

    hint = "Make room or get permission, or choose another folder (--home, or OMNITWIN_HOME)."


class FolderInUse(CannotRun):
    """Another process writes into the folder."""

    hint = "Wait until that process ends, or choose another folder."


class TrainingDiverged(CannotRun):
    """The loss, or a weight, is no longer finite."""

    hint = "Try a smaller --learning-rate, or --precision fp32."
