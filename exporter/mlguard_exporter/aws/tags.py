"""Which tags AWS splits spend by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def active_tags(client: Any, tags: Sequence[str]) -> dict[str, bool]:
    """Whether each tag is active; one that AWS has never seen is not.

    Args:
        client: of Cost Explorer, in the account that pays.
        tags: their names, a hundred at most.

    Raises:
        ClientError: such as AccessDeniedException in an account that does not pay for itself.
        BotoCoreError: AWS cannot be reached.
    """
    answer = client.list_cost_allocation_tags(TagKeys=list(tags))
    states = {tag["TagKey"]: tag["Status"] for tag in answer["CostAllocationTags"]}
    return {tag: states.get(tag) == "Active" for tag in tags}
