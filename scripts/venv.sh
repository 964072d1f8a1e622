#!/bin/sh
# Makes or renews a virtual environment with this project installed in place:
#   venv.sh PYTHON FOLDER EXTRA
# uv does it where it is installed, pip where it is not.
set -eu
python=$1 folder=$2 extra=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "mlguard: $python is not Python 3.11 or newer; name one with: make PYTHON=python3.11" >&2
    exit 1
fi

rm -f "$folder/.ready"
if command -v uv >/dev/null 2>&1; then
    echo "Installing into $folder with uv ..."
    [ -x "$folder/bin/python" ] || uv venv --quiet --python "$python" "$folder"
    uv pip install --quiet --python "$folder/bin/python" --editable ".[$extra]"
else
    echo "Installing into $folder with pip (a minute or two the first time) ..."
    if ! [ -x "$folder/bin/pip" ]; then
        "$python" -m venv "$folder" || {
            echo "mlguard: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
            exit 1
        }
    fi
    "$folder/bin/pip" install --quiet --disable-pip-version-check --editable ".[$extra]"
fi
touch "$folder/.ready"
