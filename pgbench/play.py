"""`python -m pgbench.play`."""

import sys

from pgbench.commands.play import main

if __name__ == "__main__":
    sys.exit(main())
