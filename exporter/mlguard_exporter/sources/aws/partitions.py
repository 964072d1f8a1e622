"""AWS's partitions: separate clouds, such as China or GovCloud, with endpoints of their own."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.loaders import Loader

COMMERCIAL = "aws"
_FALLBACK = "us-east-1"
_ARN = re.compile(r"arn:([\w-]+):")


class Partitions:
    """The partitions that botocore knows.

    Args:
        loader: of botocore's data.
    """

    def __init__(self, loader: Loader) -> None:
        self._load = cache(lambda: loader.load_data("partitions")["partitions"])
        self._load_services = cache(
            lambda: {
                each["partition"]: each["services"]
                for each in loader.load_data("endpoints")["partitions"]
            }
        )

    def of_region(self, region: str) -> str | None:
        """Return the partition of a region; None for a region of a form that is not known."""
        for each in self._load():
            if region in each["regions"] or re.match(each["regionRegex"], region):
                return str(each["id"])
        return None

    def region(self, configured: str | None, role_arn: str | None) -> str:
        """Return the region to work in.

        It is the configured one, unless the role belongs to another partition, where only that
        partition's own services know the role. Without a region it is the one that serves its
        partition as a whole, such as us-gov-west-1.

        Args:
            configured: region in AWS's settings.
            role_arn: role to be assumed; a mistyped one says nothing.
        """
        match = _ARN.match(role_arn or "")
        wanted = match[1] if match else None
        if configured and (wanted is None or self.of_region(configured) in (wanted, None)):
            return configured
        found: dict[str, Any] = next(
            (each for each in self._load() if each["id"] == (wanted or COMMERCIAL)), {}
        )
        return str(found.get("outputs", {}).get("implicitGlobalRegion") or configured or _FALLBACK)

    def serving(self, service: str, region: str) -> str:
        """Return the region in which a service serves another region.

        That is the same one, but for services with one endpoint for a whole partition, such as
        Cost Explorer in most of them. Their requests are signed for that region also where the
        environment names another address.
        """
        found = self._load_services().get(self.of_region(region) or COMMERCIAL, {}).get(service, {})
        if found.get("isRegionalized", True):
            return region
        whole = found["endpoints"][found["partitionEndpoint"]]
        return str(whole["credentialScope"]["region"])
