"""`python -m mlguard_injector`."""

import sys

from mlguard_injector.main import main

sys.exit(main())
