"""`python -m pgbench`."""

import sys

from pgbench.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
