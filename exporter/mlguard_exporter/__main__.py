"""Run with `python -m mlguard_exporter`."""

import sys

from mlguard_exporter.main import main

sys.exit(main())
