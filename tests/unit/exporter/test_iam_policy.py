"""The policy allows what the code calls, and nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import botocore.session
from botocore import xform_name

EXPORTER = Path(__file__).resolve().parents[3] / "exporter"
RIGHTS = {"ListObjectsV2": "ListBucket"}
"""Where a right is not named as the operation."""
CHANGING = {"ce:StartCostAllocationTagBackfill", "ce:UpdateCostAllocationTagsStatus"}


def called() -> set[str]:
    """Names of methods that are called, and what paginators are asked for."""
    names = set()
    for path in EXPORTER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                names.add(node.func.attr)
                if node.func.attr == "get_paginator":
                    names.add(node.args[0].value)
    return names


def allowed() -> dict[str, set[str]]:
    """Rights by statement."""
    policy = json.loads((EXPORTER / "iam-policy.json").read_text())
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
    found = {}
    for statement in policy["Statement"]:
        actions = statement["Action"]
        found[statement["Sid"]] = {actions} if isinstance(actions, str) else set(actions)
    return found


def test_the_policy_allows_exactly_what_is_called():
    session, names = botocore.session.Session(), called()
    needed = {
        f"{service}:{RIGHTS.get(operation, operation)}"
        for service in ("ce", "s3")
        for operation in session.get_service_model(service).operation_names
        if xform_name(operation) in names
    }
    assert needed == set().union(*allowed().values())


def test_what_changes_anything_stands_apart():
    statements = allowed()
    assert statements.pop("SetUpTagsOnce") >= CHANGING
    assert not CHANGING & set().union(*statements.values())
