"""`python -m mlguard_sidecar` is `mlguard-sidecar`."""

import sys

from mlguard_sidecar.main import main

sys.exit(main())
