"""Promtool's unit tests of rules, run with the embedded engine.

    for difference in run(load_tests(Path("my.test.yml"))):
        print(difference)

A file passes here if promtool 2.42 passes it, and fails if promtool fails it, as long as its rules
are within the supported subset of PromQL. If they are not, that is an error of the file.
"""

from mlguard_rules.ruletest.load import load_tests
from mlguard_rules.ruletest.run import run
from mlguard_rules.ruletest.scenario import AlertCheck, Difference, QueryCheck, RuleTests, Scenario
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
