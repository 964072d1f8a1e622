"""Points Apprise's Slack plugin at a server of the tests, in the process that sends."""

import os
import sys

if "mlguard_rules.apprise_worker" in sys.orig_argv and "MLGUARD_TEST_SLACK" in os.environ:
    from apprise.plugins.slack import NotifySlack

    NotifySlack.webhook_url = os.environ["MLGUARD_TEST_SLACK"]
