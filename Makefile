# The book's two commands are `make book` and `make test`; each sets up what it needs. `make help` lists the rest.
#   make book PROFILE=laptop CHAPTERS=2
#   make test PYTHON=python3.12

PROFILE ?= smoke
CHAPTERS ?= all
JOBS ?= 2
PORT ?= 8000
# The first Python on the path that is new enough; the check in the rule below speaks up when there is none.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)

VENV := .venv
# Packages beside the requirements, such as an older PyTorch
EXTRA :=
OLDEST := torch==2.6.* torchvision==0.21.*
BIN := $(VENV)/bin
READY := $(VENV)/ready
VBOOK := $(BIN)/python -m vbook.cli

# Without cached bytecode every process that imports torch starts several seconds later.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup book run build test test-site test-oldest lint mutants browser sandbox commit-notebooks lab serve wheel pdf zip publish links clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install everything into it (only when requirements changed)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "vbook: needs Python 3.11 or newer, and $(PYTHON) is not; name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "vbook: $(PYTHON) can't make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "vbook: installing into $(VENV); PyTorch is large, so the first time may take minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -r requirements.txt $(foreach package,$(EXTRA),"$(package)")
	@touch $@

book: run build ## execute what changed and build the site (PROFILE=smoke|laptop|paper CHAPTERS="2 3")

run: $(READY) ## execute the chapters whose code, data or parameters changed
	$(VBOOK) run $(CHAPTERS) --profile $(PROFILE)

build: $(READY) run ## build the site from the executed copies
	$(VBOOK) build --profile $(PROFILE)

test: override PROFILE := smoke
test: override CHAPTERS := all
test: lint browser sandbox run build ## everything: lint, smoke run of all chapters, site, all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-site: browser ## the tests of the site on the site that is built, at whatever profile
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder tests/site

test-oldest: ## the same on the oldest PyTorch that the book supports, in an environment of its own
	$(MAKE) test VENV=.venv-oldest EXTRA="$(OLDEST)"

lint: $(READY) ## check the style of the code, notebooks included
	$(BIN)/ruff check .

browser: $(READY) ## make sure that the tests have a browser, install one if they have not
	@$(VBOOK) browser && exit 0; test $$? = 1 || exit 2; \
	echo "vbook: no browser found, installing Chromium"; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq; apt-get install -y -qq --no-install-recommends chromium && exit 0; fi; \
	$(BIN)/python -m playwright install chromium && exit 0; \
	echo "vbook: the tests need Chromium or Chrome and none could be installed; install one yourself (Debian: apt-get install" \
		"chromium) or set VBOOK_BROWSER to its path" >&2; exit 2

sandbox: ## make sure that grading has a sandbox, install one if it has not; without one its tests skip and say so
	@command -v bwrap >/dev/null && exit 0; \
	echo "vbook: no sandbox for grading found, installing bubblewrap"; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap && exit 0; fi; \
	echo "vbook: bubblewrap could not be installed, so the tests of grading will skip; install it yourself (Debian and Ubuntu:" \
		"apt-get install bubblewrap)" >&2

mutants: $(READY) ## change the formulas in a thousand ways, one at a time: do the tests notice? (about half an hour; goes on where it was)
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -e .[mutants]
	@# without threads in the compiler: a fork has none of them, and waits for ever
	OMP_NUM_THREADS=1 TORCHINDUCTOR_COMPILE_THREADS=1 PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mutmut run --max-children $(JOBS)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/survivors.py

commit-notebooks: $(READY) ## run all chapters at smoke and write their outputs into chapters/
	$(VBOOK) run all --commit

lab: $(READY) ## open the chapters in JupyterLab
	$(BIN)/python -m jupyterlab chapters

serve: ## show the built site at http://localhost:8000 (PORT=…)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

wheel: $(READY) ## build the wheel into _build/dist
	$(BIN)/python -m build --wheel --no-isolation --outdir _build/dist

pdf zip: build ## the built book as one file: _build/vbook.pdf, or _build/vbook.zip that opens from disk
	$(VBOOK) edition $@

publish: book pdf zip ## all that is published, in _build/public: the site with its PDF and its archive
	rm -rf _build/public && cp -r _build/html _build/public && rm -f _build/public/.vbook-site.json _build/public/.edition.html && cp _build/vbook.pdf _build/vbook.zip _build/public

links: $(READY) ## do the links that lead out of the book still lead somewhere? (needs the network)
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links

clean: ## remove everything that was generated, .venv aside
	rm -rf _build mutants
