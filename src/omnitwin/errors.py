"""Everything omnitwin refuses, as one tree; `cli.main` turns a leaf into one line and an exit code.

OmnitwinError
├── BadInput            2   the words or the images given are wrong
│   └── BadImage            not an image, missing, truncated, too large
├── CannotRun           3   the words are right, something needed is not there
│   ├── DatasetMissing      nothing downloaded, and the network is forbidden
│   ├── DatasetCorrupt      a zip, folder or packed file that is not what it should be
│   ├── DownloadFailed      the network, after the retries
│   ├── DeviceMissing       no such accelerator here
│   ├── BadCheckpoint       not a checkpoint, another version, damaged
│   ├── CannotWrite         a full disk, a missing permission
│   ├── FolderInUse         another process writes there
│   └── TrainingDiverged    the loss is no longer a number
(an interruption is no error: the report of a training run says by which signal it was stopped)
"""

from enum import IntEnum

SHORTAGE = ("out of memory", "allocate memory", "ALLOC_FAILED")  # how torch and its libraries put it, in RuntimeErrors


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory is too little, on the machine or on a GPU."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in SHORTAGE)
    )


class ExitCode(IntEnum):
    """The comments are the meanings that docs/COMMANDS.md tells."""

    DONE = 0  # done; `compare`: same
    DIFFERENT = 1  # `compare`: different; nothing else ever exits 1
    BAD_INPUT = 2  # the words or the images given are wrong
    CANNOT_RUN = 3  # something needed is not there: data, a device, a sound checkpoint, room on the disk
    UNEXPECTED = 70  # a bug, never to be mistaken for "different" (EX_SOFTWARE of sysexits.h)
    HUNG_UP = 129  # the terminal was closed (128 + SIGHUP)
    INTERRUPTED = 130  # interrupted, by Ctrl-C (128 + SIGINT)
    TERMINATED = 143  # terminated (128 + SIGTERM)


class OmnitwinError(Exception):
    """One line says what is wrong and why; the hint says what to do next."""

    exit_code = ExitCode.CANNOT_RUN
    hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def line(self) -> str:
        text = " ".join(str(self).split())  # one line, whatever a library put into its own message
        if not text.endswith((".", "!", "?")):
            text += "."
        return f"{text} {self.hint}".rstrip()


class BadInput(OmnitwinError):
    """The words or the images given are wrong (exit code 2)."""

    exit_code = ExitCode.BAD_INPUT


class BadImage(BadInput):
    """A file or an array that is no image, is blank, too large or damaged."""

    hint = "Give a PNG, JPEG or any other image file."


class CannotRun(OmnitwinError):
    """Something needed is not there: data, a device, a sound checkpoint, room on the disk (exit code 3)."""


class DatasetMissing(CannotRun):
    """A data set is not here, and the network is forbidden."""

    hint = "Run: omnitwin download"


class DatasetCorrupt(CannotRun):
    """A zip, folder or packed file is not what it should be."""

    hint = "Fetch it anew (omnitwin download --force), or name another source (--from)."


class DownloadFailed(CannotRun):
    """The network failed, after all attempts."""

    hint = (
        "Try again (a part that arrived is kept), or name another source: omnitwin download --from FOLDER, ZIP or URL"
    )


class DeviceMissing(CannotRun):
    """The machine has no such accelerator."""

    hint = "Use --device auto to take what there is."


class BadCheckpoint(CannotRun):
    """A file that is no checkpoint, is damaged, or of another version; or a name that no run has."""

    hint = "Train one: omnitwin train"


class CannotWrite(CannotRun):
    """A file could not be written: a full disk, a missing permission."""

    hint = "See that there is room and permission, or choose another folder (--home, or OMNITWIN_HOME)."


class FolderInUse(CannotRun):
    """Another process writes into the folder."""

    hint = "Wait until it is done, or choose another folder."


class TrainingDiverged(CannotRun):
    """The loss, or a weight, is no longer finite."""

    hint = "Try a smaller --learning-rate, or --precision fp32."
