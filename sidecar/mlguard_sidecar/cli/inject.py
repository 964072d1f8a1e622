"""The command `mlguard inject`."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from mlguard_sidecar.cli.options import fail


@click.command()
@click.option(
    "-f",
    "--filename",
    "file",
    type=click.File(),
    required=True,
    metavar="FILE",
    help="Manifests in YAML; - reads standard input.",
)
@click.option("--image", metavar="IMAGE", help="Image of the sidecar.")
@click.option(
    "--config", "config_file", type=click.File(), metavar="FILE", help="The injector's `sidecar`."
)
@click.option(
    "--namespace",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Namespace of manifests that name none.",
)
@click.option(
    "--native/--no-native",
    default=True,
    show_default=True,
    help="A native sidecar, from Kubernetes 1.29 on; or a plain container.",
)
def inject(
    *, file: TextIO, image: str | None, config_file: TextIO | None, namespace: str, native: bool
) -> None:
    """Print manifests with the sidecar in every pod, as the webhook would inject it."""
    import msgspec  # noqa: PLC0415 - only this command needs these
    import yaml  # noqa: PLC0415

    from mlguard_injector import SidecarConfig  # noqa: PLC0415
    from mlguard_injector.manifests import with_sidecars  # noqa: PLC0415

    config = SidecarConfig()
    if config_file is not None:
        try:
            config = msgspec.convert(yaml.safe_load(config_file) or {}, SidecarConfig)
        except (yaml.YAMLError, ValueError) as error:
            fail(f"{config_file.name}: {' '.join(str(error).split())}")
    if image is not None:
        config = msgspec.structs.replace(config, image=image)
    try:
        text, warnings = with_sidecars(file.read(), namespace, config, native=native)
    except ValueError as error:
        fail(f"{file.name}: {error}")
    for warning in warnings:
        click.echo(f"mlguard inject: {warning}", err=True)
    sys.stdout.write(text)
    if any("no ML Guard sidecar" in warning for warning in warnings):
        sys.exit(1)
