"""`python -m tieback` is `tieback`."""

from tieback.cli import main

if __name__ == "__main__":
    main()
