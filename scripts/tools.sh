#!/bin/sh
# Installs the Debian packages that the integration tests run, where that is allowed:
#   tools.sh PACKAGE...
# What cannot be installed is told and left: the tests that need it skip themselves with a line
# each, or fail where MLGUARD_REQUIRE_TOOLS=1.
set -u
missing=
for package in "$@"; do
    command -v "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "mlguard: no apt-get here; not installed:$missing" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "mlguard: may not install Debian packages; not installed:$missing" >&2
    exit 0
fi
echo "Installing Debian packages:$missing ..."
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq update >/dev/null 2>&1
# shellcheck disable=SC2086
$as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    echo "mlguard: apt-get could not install:$missing" >&2
exit 0
