"""Sends one message through Apprise, in a process of its own.

Apprise and what it brings take some 25 MiB, which a sidecar would then hold for ever; a receiver
that hangs is a process that can be killed; and what Apprise logs, secrets among it, stays here.
"""

from mlguard_rules.courier.call import carry

__all__ = ["carry"]
