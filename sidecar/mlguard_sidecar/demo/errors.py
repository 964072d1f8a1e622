"""What can keep the demo from running, in words for the person who started it."""


class DemoError(Exception):
    """The demo cannot go on; the text says why in one line, without a traceback."""

    status = 1


class CannotStartError(DemoError):
    """Something must be changed before the demo can start: a port, a folder, a missing extra."""

    status = 2
