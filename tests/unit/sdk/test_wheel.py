"""The SDK alone, as `pip install mlguard` brings it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]

IMPORT = """
import json, sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import mlguard
guard = mlguard.Guard("p", "m", socket="/nowhere/mlguard.sock", flush_seconds=0)
assert guard.log(features={"a": 1.5, "b": float("nan")}, y_pred=1)
assert not guard.flush(0.1)
roots = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([mlguard.__version__, mlguard.__file__, sorted(set(sys.modules) - before),
                  sorted(roots - sys.stdlib_module_names)]))
"""


def test_the_wheel_works_with_the_standard_library_alone(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT, wheel],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "mlguard_rules/runbook.md" in zipfile.ZipFile(wheel).namelist()
    version, file, loaded, foreign = json.loads(done.stdout)
    assert version == "0.1.0"
    assert file.startswith(str(wheel))
    assert set(foreign) <= {"mlguard", "__main__"}
    # What is slow to load is not loaded for a host that does not use it.
    assert not {"asyncio", "inspect", "multiprocessing", "tempfile"} & set(loaded)
