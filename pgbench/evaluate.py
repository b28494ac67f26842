"""`python -m pgbench.evaluate`; imported, the name `pgbench.evaluate` is the function of that name."""

import sys

if __name__ == "__main__":
    from pgbench.commands.evaluate import main

    sys.exit(main())

from pgbench.after.evaluation import evaluate

sys.modules[__name__] = evaluate  # type: ignore[assignment]
