"""Write the JSON file of each dashboard."""

from mlguard_dashboards.build import DASHBOARDS, FOLDER, render

if __name__ == "__main__":
    for name, build in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(render(build()))
