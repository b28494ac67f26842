"""`python -m pgbench.measure`."""

import sys

from pgbench.commands.measure import main

if __name__ == "__main__":
    sys.exit(main())
