"""``python -m tallyhook``."""

from tallyhook.commands import main

if __name__ == "__main__":
    main(prog_name="tallyhook")
