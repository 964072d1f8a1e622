#!/bin/sh
# Writes the locks of the images: every package with its version and the hashes of its files, for
# Python 3.11 on Linux. The locks name no index, so that any mirror serves.
#   lock.sh PIP_COMPILE
set -eu
compile="$1 --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host
    --no-emit-find-links --no-emit-options --no-header --no-annotate --upgrade"
# shellcheck disable=SC2086
for extra in sidecar exporter injector; do
    $compile --extra "$extra" --output-file "images/$extra.lock" pyproject.toml
done
echo hatchling | $compile --output-file images/build.lock -
# pip is in no image, though a package asks for it
sed -i '/^# The following packages/,$d' images/*.lock
