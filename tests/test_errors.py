"""Exceptions of libraries in one line: the cause is there, wherever in the text it stands."""

import pytest

from hifigan_ref.errors import MOST_CHARACTERS, HifiError, in_one_line, named, nearest

OPENVINO = """Exception from src/inference/src/cpp/core.cpp:117:
Exception from src/inference/src/dev/plugin.cpp:54:
Exception from src/plugins/intel_cpu/src/config.cpp:266:
Wrong value f8e4m3 for property key INFERENCE_PRECISION_HINT. Supported: f32


"""
CHECKED = """Exception from src/inference/src/cpp/core.cpp:84:
Check 'util::file_exists(path)' failed at src/frontends/common/src/frontend.cpp:117:
FrontEnd API failed with GeneralFailure:
onnx: Could not open the file: "none.onnx"
"""
CUDA = """CUDA error: out of memory
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace \
below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""
INDUCTOR = """backend='inductor' raised:
InvalidCxxCompiler: No working C++ compiler: (None, 'g++')

Set TORCHDYNAMO_VERBOSE=1 for the internal stack trace
"""
DYNAMO = """Failed to trace builtin operator
  Explanation: Dynamo cannot trace `print`
  Hint: Avoid calling builtin `print`.

from user code:
   File "network.py", line 34, in forward
"""
ONNXRUNTIME = "\x1b[1;31m[ONNXRuntimeError] : 1 : FAIL : Non-zero status code\x1b[m"
OLD = """
=====================
cuDNN error: CUDNN_STATUS_NOT_SUPPORTED
Exception raised from raise at ../c10/util/Exception.cpp:1 (most recent call first):
frame #0: c10::Error::Error + 0x57 (0x7f in libc10.so)
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("out of memory", "out of memory"),
        ("  first  \n\n second\tline \n", "first; second line"),
        (
            OPENVINO,
            "Wrong value f8e4m3 for property key INFERENCE_PRECISION_HINT. Supported: f32",
        ),
        (
            CHECKED,
            'FrontEnd API failed with GeneralFailure: onnx: Could not open the file: "none.onnx"',
        ),
        (CUDA, "CUDA error: out of memory"),
        (
            INDUCTOR,
            "backend='inductor' raised: InvalidCxxCompiler: No working C++ compiler: (None, 'g++')",
        ),
        (
            DYNAMO,
            "Failed to trace builtin operator; Explanation: Dynamo cannot trace `print`",
        ),
        (ONNXRUNTIME, "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code"),
        (OLD, "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED"),
        ("Exception from core.cpp:117:\n", "Exception from core.cpp:117:"),
        ("----\nnothing\a more\n~~~^~~~", "nothing more"),
        ("Hint: all that it says", "Hint: all that it says"),
        ("", "RuntimeError"),
        (" \n ", "RuntimeError"),
    ],
)
def test_the_cause_is_told_in_one_line(text: str, told: str) -> None:
    found = in_one_line(RuntimeError(text))
    assert found == told
    assert found.isprintable()


@pytest.mark.parametrize("glue", [" ", "\n", ""])
def test_both_ends_of_a_long_text_stay(glue: str) -> None:
    text = glue.join(["the first cause", *["x" * 50] * 1000, "the last cause"])
    found = in_one_line(RuntimeError(text))
    assert len(found) <= MOST_CHARACTERS
    assert found.startswith("the first cause") and found.endswith("the last cause")


def test_a_type_is_named_once() -> None:
    assert named(ValueError("no\nnumber")) == "ValueError: no; number"
    assert named(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert named(HifiError("")) == "HifiError"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("ort-cup", "did you mean 'ort-cpu'? "),
        ("ORT-CPU", "did you mean 'ort-cpu'? "),
        ("pytorch", "did you mean 'torch'? "),
        ("torch-comple", "did you mean 'torch-compile'? "),
        ("tensorflow", ""),
        ("", ""),
    ],
)
def test_the_nearest_word_is_named(word: str, told: str) -> None:
    assert nearest(word, ("torch", "torch-compile", "ort-cpu")) == told


def test_of_words_as_near_the_first_is_named() -> None:
    assert nearest("f32", ("fp32", "tf32")) == "did you mean 'fp32'? "
    assert nearest("f32", ("tf32", "fp32")) == "did you mean 'tf32'? "
    assert nearest("f32", ()) == ""
