"""Prints Evidently's PSI of columns, in its own environment; reads them as JSON from its input.

For each column: `reference`, `current`, and whether it is `numeric`. The answer has its `psi` and,
of a numeric one, the `edges` that were taken.
"""

import json
import sys

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import psi_stat_test
from evidently.legacy.core import ColumnType


def main() -> None:
    """Answer."""
    answers = []
    for column in json.load(sys.stdin):
        reference, current = pd.Series(column["reference"]), pd.Series(column["current"])
        kind = ColumnType.Numerical if column["numeric"] else ColumnType.Categorical
        found = psi_stat_test.func(reference, current, kind, 0.1)
        edges = []
        if column["numeric"]:
            edges = np.histogram_bin_edges(pd.concat([reference, current]), bins="sturges").tolist()
        answers.append({"psi": float(found[0]), "edges": edges})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
