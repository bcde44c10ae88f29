"""``python -m structgen_bench COMMAND ...`` is ``structgen bench COMMAND ...``."""

from __future__ import annotations

import sys

from structgen.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
