"""Which tags AWS splits spend by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.aws.errors import understanding

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIVE = "Active"


def tag_states(client: Any, tags: Sequence[str]) -> dict[str, str]:
    """Active or Inactive; tags that AWS has not seen are left out.

    Args:
        client: of Cost Explorer, in the account that pays.
        tags: their names, a hundred at most.

    Raises:
        ClientError: such as AccessDeniedException in an account that does not pay for itself.
        BotoCoreError: AWS cannot be reached.
        SourceError: the answer cannot be read.
    """
    answer = client.list_cost_allocation_tags(TagKeys=list(tags))
    with understanding():
        return {tag["TagKey"]: tag["Status"] for tag in answer["CostAllocationTags"]}


def active_tags(client: Any, tags: Sequence[str]) -> dict[str, bool]:
    """Whether each tag that AWS has seen is active; raises the same."""
    return {tag: state == ACTIVE for tag, state in tag_states(client, tags).items()}
