"""Promtool's unit tests of rules, run with the embedded engine.

    for difference in run(load_tests(Path("my.test.yml"))):
        print(difference)

A file that promtool 2.42 passes is passed here, and one that it fails is failed, as long as its
rules are within the engine's subset; what is not is told when the file is read.
"""

from mlguard_rules.ruletest.load import load_tests
from mlguard_rules.ruletest.model import AlertCheck, Difference, QueryCheck, RuleTests, Scenario
from mlguard_rules.ruletest.run import run
from mlguard_rules.ruletest.storage import Storage

__all__ = [
    "AlertCheck",
    "Difference",
    "QueryCheck",
    "RuleTests",
    "Scenario",
    "Storage",
    "load_tests",
    "run",
]
