#!/bin/sh
# Deletes from an environment what no daemon needs: tests, type stubs, headers and Fortran tools
# of numpy, the documentation and translations of apprise, and the tests of other packages.
#   prune.sh SITE_PACKAGES
set -eu
# anywhere else it would delete what is somebody's work
ls -d "${1:?expected SITE_PACKAGES}"/*.dist-info >/dev/null
CDPATH='' cd -- "$1"
rm -rf numpy/f2py numpy/_core/include numpy/random/_examples numpy/doc numpy/_pyinstaller \
    numpy/distutils numpy/_core/lib/libnpymath.a apprise/i18n/*/ boto3/examples
find . -type d -name tests -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' \) -delete
