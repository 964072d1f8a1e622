"""What may stand under `cost`, and how the rest is refused: in one line with file and key."""

from __future__ import annotations

import pytest
import yaml

from mlguard_common.config import ConfigError, load_config
from mlguard_exporter.config import Config

ROLE = "arn:aws:iam::111122223333:role/mlguard"


def load(tmp_path, cost) -> Config:
    path = tmp_path / "exporter.yaml"
    path.write_text(yaml.safe_dump({"cost": cost}))
    return load_config(path, Config)


@pytest.mark.parametrize(
    "account",
    [
        {},
        {"profile": "bank"},
        {"role_arn": ROLE},
        {"role_arn": ROLE.replace("aws", "aws-cn"), "external_id": "x"},
        {"role_arn": ROLE.replace("role/", "role/path/"), "profile": "bank"},
        {"export": "s3://bucket"},
        {"export": "s3://bucket/some/prefix/"},
        {"export": "/exports"},
    ],
)
def test_ways_to_the_spend_of_an_account(tmp_path, account):
    (found,) = load(tmp_path, {"accounts": [{"name": "main"} | account]}).cost.accounts
    assert all(getattr(found, key) == value for key, value in account.items())


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ({"accounts": [{"name": ""}]}, "accounts[0]: name: expected 1 to 128 printable characters"),
        ({"accounts": [{"name": "a"}, {"name": "a"}]}, "accounts: expected different names"),
        ({"accounts": [{"name": "a", "profile": ""}]}, "profile: expected the name of one"),
        (
            {"accounts": [{"name": "a", "role_arn": "nonsense"}]},
            "role_arn: expected arn:aws:iam::ACCOUNT:role/NAME",
        ),
        (
            {"accounts": [{"name": "a", "role_arn": ROLE.replace("role", "user")}]},
            "role_arn: expected arn:aws:iam::ACCOUNT:role/NAME",
        ),
        ({"accounts": [{"name": "a", "external_id": "x"}]}, "expected role_arn beside it"),
        (
            {"accounts": [{"name": "a", "export": "s3://"}]},
            "expected s3://BUCKET/PREFIX or /FOLDER",
        ),
        ({"accounts": [{"name": "a", "export": "x"}]}, "expected s3://BUCKET/PREFIX or /FOLDER"),
        ({"interval": "5h"}, "interval: expected 6h to 24h"),
        ({"max_requests_per_month": -1}, "max_requests_per_month: expected 0 to 100000"),
        ({"tags": {"model": "mlguard:project"}}, "tags: expected three different tags"),
        ({"untagged_threshold_ratio": 20}, "untagged_threshold_ratio: expected 0 (no alert) to 1"),
        ({"budgets": [{"project": "p", "amount": 0}]}, "amount: expected more than 0"),
        ({"budgets": [{"project": "", "amount": 1}]}, "expected a project"),
        (
            {"budgets": [{"project": "p", "amount": 1, "currency": "usd"}]},
            "currency: expected a code of three capitals, such as USD",
        ),
        (
            {"budgets": [{"project": "p", "amount": 1}, {"project": "p", "amount": 2}]},
            "budgets: expected one for each project, model and currency",
        ),
        ({"spikes": {"min_days": 0}}, "min_days: expected 1 to 90"),
        ({"spikes": {"share": -1}}, "share: expected 0 or more"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, cost, said):
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, cost)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'exporter.yaml'}: cost")
    assert "\n" not in str(raised.value)
