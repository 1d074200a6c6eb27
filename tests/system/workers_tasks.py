"""Work that test_workers gives to other processes."""

import os
import signal
import sys
import time


def square(number):
    return number**2


def process_id():
    return os.getpid()


def slow_process_id(seconds):
    time.sleep(seconds)
    return os.getpid()


def fragile(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 8:
        os._exit(7)
    return number


def refusing(number):
    if number == 2:
        raise ValueError("number 2")
    return number


def talking(number):
    print("to the output")
    print("to the errors", file=sys.stderr)
    os.write(1, b"from C, as it were\n")
    return number


def is_alive(process):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
