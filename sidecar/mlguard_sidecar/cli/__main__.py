"""`python -m mlguard_sidecar.cli` is `mlguard`."""

from mlguard_sidecar.cli import main

main()
