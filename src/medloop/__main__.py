"""``python -m medloop``: the same as ``medloop``."""

import sys

from medloop.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
