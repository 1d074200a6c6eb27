"""The door of the program: the command `omnitwin` and `python -m omnitwin`.

It imports next to nothing, so that even what goes wrong while the command line is imported gets its line and its exit
code. `cli.main` decides the code by an ExitCode; an end without it is a failure. See omnitwin.system.leaving.
"""

import os

TYPE_CHECKING = False  # typing takes a megabyte, which may not be there
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> "NoReturn":
    """Run the command line of this process, and end the process."""
    try:
        _run()
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException:  # not even the modules that tell of a failure could be imported
        os.write(
            2,
            b"omnitwin: cannot start: too little memory (free some, or raise the ulimit), or a damaged installation.\n",
        )
    finally:
        os._exit(3)


def _run() -> None:
    from omnitwin.system import leaving

    leaving.watch()
    try:
        from omnitwin.system import limits

        limits.supervise()
        from omnitwin.cli import main

        leaving.interrupt_by_exception()
        main()
    except BaseException as ending:
        from omnitwin.system import failures

        code = failures.code_of(ending)
    leaving.leave(code)


if __name__ == "__main__":
    run()
