# Everything starts from a bare Python 3.10+; each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: install demo test lint test-slow bench bench-gpu soak clean

install: $(READY)  ## a ready .venv in this folder

$(READY): pyproject.toml constraints.txt tools/install_torch.py
	$(PYTHON) -m venv .venv
	$(BIN)/python tools/install_torch.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)  ## the main job on a bundled model and real text
	$(BIN)/seedbed demo --out demo

lint: $(READY)
	$(BIN)/ruff format --check src tests tools benchmarks
	$(BIN)/ruff check src tests tools benchmarks
	$(BIN)/mypy

test: lint  ## what CI runs
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow and not soak"

test-slow: $(READY)  ## calibration and long runs
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "slow"

GLUE ?= ../shared/data/glue

bench: $(READY)  ## speed beside the Trainer, of the exact search and of the analyses
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/throughput.py --glue $(GLUE)
	$(BIN)/python benchmarks/scaling.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/replay_speed.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/analyze_speed.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/profile_step.py --task mrpc --data $(GLUE)/MRPC --json benchmarks/results/profile_mrpc.json

bench-gpu: $(READY)  ## checks and times the encoder on a GPU
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/gpu.py --glue $(GLUE)

soak: $(READY)  ## fault injection and endurance, the long versions
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "soak"

clean:
	rm -rf .venv demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
