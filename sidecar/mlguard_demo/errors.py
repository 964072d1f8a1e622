"""Errors that end the demonstration."""


class DemoError(Exception):
    """The demonstration cannot continue; the text is one line for the person who started it.

    Attributes:
        status: exit status of the command.
    """

    status = 1


class StartError(DemoError):
    """The demonstration cannot start with this port, folder or installation."""

    status = 2
