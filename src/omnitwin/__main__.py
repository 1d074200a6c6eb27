"""`python -m omnitwin` is the command `omnitwin`."""

from omnitwin.cli import main

if __name__ == "__main__":
    main()
