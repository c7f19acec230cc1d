"""Lowered files in other runtimes: TensorRT for RTX builds them, OpenVINO computes the same."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
import openvino
import pytest
from test_lowering_plan import OF_PERIOD, OF_SCALE

import cli
from export.verify import snr_db
from fakes import run_main

SAMPLES = 2311
LEAST_DB = 100.0

export = partial(run_main, cli.export_main)


@pytest.mark.parametrize("opset", [13, 26])
def test_they_build_and_compute_alike(opset: int, tmp_path: Path) -> None:
    plan = {"schema": 1, "origin": "by hand", "layers": OF_PERIOD | OF_SCALE}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    words = ("--period", 11, "--scale", 1, "--opset", opset, "--lowering", tmp_path / "plan.json")
    built = export("trt", *words, "--out", tmp_path)
    assert built.code == 0, built.err
    assert (tmp_path / "mpd-11.engine").stat().st_size > 10**6
    assert (tmp_path / "msd-1.engine").stat().st_size > 10**6
    y = np.random.default_rng(0).standard_normal((2, 1, SAMPLES), dtype=np.float32)
    for name in ("mpd-11", "msd-1"):
        session = ort.InferenceSession(
            tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"]
        )
        compiled = openvino.Core().compile_model(
            tmp_path / f"{name}.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        found = compiled({"y": y})
        for place, expected in enumerate(session.run(None, {"y": y})):
            assert snr_db(expected, found[place]) >= LEAST_DB
