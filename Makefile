PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint format schema results gpu-results clean

demo: $(INSTALLED)  ## export all ten graphs, check them, time the runtimes
	$(BIN)/hifi-export onnx
	$(BIN)/hifi-bench --backend torch --backend torch-compile --backend ort-cpu

test: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schema: $(INSTALLED)  ## of report.json and parity.json, from the records
	$(BIN)/python -m bench.schema docs

results: $(INSTALLED)  ## measure what the README states, into docs/results/
	$(BIN)/python -m bench.commands docs/results/commands.json
	$(BIN)/hifi-bench --backend torch --backend torch-folded --backend torch-compile \
		--backend ort-cpu --batch 2 --out docs/results/cpu
	$(BIN)/python -m bench.readme README.md

# On a machine with a GPU, with whatever python3 has: it installs nothing.
gpu-results:  ## run the GPU tests and the full matrix, into docs/results/
	$(PYTHON) -m bench.gpu_results docs/results

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(INSTALLED)

clean:
	rm -rf .venv artifacts reports build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
