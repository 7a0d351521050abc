"""`python -m flows.cli` is the command `tailwatch`."""

from flows.cli.main import main

if __name__ == "__main__":
    main()
