"""A document of every view, and what a reader sees of it in every format."""

import re
from dataclasses import replace
from html import unescape
from io import StringIO

from rich.console import Console

from bench.compare.verdicts import compare
from bench.hole import Skipped
from bench.mixing_record import SCHEMA as MIXING_SCHEMA
from bench.mixing_record import MemberTrials, Mixing, Promise
from bench.mixing_record import Trial as Mixed
from bench.parity.report import SCHEMA as PARITY_SCHEMA
from bench.parity.report import Change, Element, OutputCase, ParityCase, ParityReport
from bench.player import Pace
from bench.records import Ceiling, Claim, Layer, Measurement, Report
from bench.render.document import Document
from bench.render.formats import html_page, markdown_page, terminal
from bench.render.views import comparison, mixed, parity, report, streaming, tuning
from bench.streaming_record import SCHEMA as STREAMING_SCHEMA
from bench.streaming_record import Row, Streaming
from bench.tuning_record import Tuned
from export.lowering.plan import LoweringPlan
from fakes import PARITY, WORKLOAD, fake_report, fake_result, fake_tuning

HOLE = Skipped("needs TensorRT: pip install 'hifi-export[trt]'")
WRONG = Skipped("parity failed: score has an SNR of 61.5 dB, the budget is 100 dB")
INVALID = Skipped("INVALID: device: asked GPU, found CPU")
LAYERS = (
    Layer("/conv/Conv", "Conv", 10**9, 10**6, 0.03),
    Layer("/act/LeakyRelu", "LeakyRelu", 0, 10**6, Skipped("fused into /conv/Conv")),
)

BASE = Mixed({}, {"score": 1e-11}, 1.0)
COARSE = Mixed({"convs.1": "int8", "convs.2": "int8"}, {"score": 1e-2}, 0.5)
FINE = Mixed({"convs.1": "int8"}, {"score": 1e-4}, 0.8, 0.9, 35.5)
SLOW = Mixed({"convs.2": "int8"}, {"score": 9.9e-3}, 0.9)
MEMBER = MemberTrials("mpd-11", 0.1, (BASE, FINE, SLOW, COARSE), chosen=1)


def printed(document: Document, width: int = 200) -> str:
    """In a terminal that is no terminal: nothing is coloured."""
    page = StringIO()
    terminal.show(document, Console(file=page, width=width, force_terminal=False))
    return page.getvalue()


def markdown(document: Document) -> str:
    """The whole page."""
    return markdown_page.dump(document).decode()


def html(document: Document) -> str:
    """What is read: texts between tags, without scripts, which hold any text."""
    body = html_page.dump(document).decode().partition("<body>")[2].partition("</main>")[0]
    texts = re.sub(r"<script.*?</script>|<[^>]*>", " ", body, flags=re.DOTALL)
    return unescape(texts)


def fake_rows() -> Report:
    """A report of rows of every kind."""
    timed = fake_result("torch:norms=folded", (0.5,) * 9)
    assert isinstance(timed.measurement, Measurement)
    shaky = replace(timed.measurement, warm=False, converged=False)
    broken = replace(PARITY, outputs=(replace(PARITY.outputs[0], snr_db=61.5),))
    proof = (Claim("device", "GPU", "CPU, some of it", holds=False),)
    rows = (
        replace(timed, measurement=shaky, bytes_moved=10**9, layers=LAYERS),
        fake_result("trt", HOLE, HOLE),
        fake_result("ort-cpu", WRONG, broken),
        replace(fake_result("ort-cuda", INVALID), proof=proof, workload=replace(
            WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 16})),
        *(fake_result(name, workload=replace(WORKLOAD, variant="msd")) for name in ("torch", "b")),
    )  # fmt: skip
    made = fake_report(*rows, notes=("x.wav is at 16000 Hz",))
    return replace(made, ceiling=Ceiling(100.0, 2048, 1, gb_per_second=10.0))


def fake_tuned() -> Tuned:
    """A tuner's whole result, whose file fails."""
    found = fake_tuning()
    made = fake_report(*found.results)
    return Tuned(found, LoweringPlan("", found.plan), (), made, (fake_parity(),), False)


def fake_mixing() -> Mixing:
    """A search of two members."""
    return Mixing(
        schema=MIXING_SCHEMA,
        created="2026-01-01T00:00:00+00:00",
        tool="hifi-export 0",
        machine=fake_report().machine,
        backend="openvino",
        base="fp32",
        min_snr_db=30.0,
        sizes={"batch": 2, "samples": 8192},
        views=(),
        threads=2,
        source="clip",
        weights="seed 0",
        calibration="the shipped clip's second half",
        members=(MEMBER, replace(MEMBER, member="mpd-2", seconds=0.3, chosen=3)),
        promises=(Promise("mpd", "ab" * 32, {"score": 1e-4}),),
    )


def fake_streaming() -> Streaming:
    """A whole, chunks of two lengths with a state, and a window, of a signal of ten seconds."""
    whole = Row(
        *("ort-cpu", "whole", Pace(100, 0, 0.0, 100), 1000, 0.1, ((2.0,), (2.5,))),
        *(120.0, 100.0, Skipped("the whole signal is no stream")),
    )
    state = replace(
        whole,
        way="state",
        pace=Pace(2, 0, 3.0, 100),
        flops=22,
        passes=((0.125, 0.25, 0.125, 0.3), (0.125, 0.5)),
        snr_db=110.0,
        streams=2,
    )
    longer = replace(state, pace=Pace(4, 0, 3.0, 100), flops=40, passes=((0.2,) * 140,), streams=1)
    window = replace(
        state, way="window", pace=Pace(2, 3, 0.0, 100), flops=80, snr_db=9.0, budget_db=None
    )
    return Streaming(
        schema=STREAMING_SCHEMA,
        created="2026-01-01T00:00:00+00:00",
        tool="hifi-bench 0",
        machine=fake_report().machine,
        variant="generator-v3",
        unit="frames",
        length=100,
        needed=(3, 3),
        flops_per_element=10.0,
        threads=2,
        source="mel: log-mel of clip",
        weights="seed 0",
        rows=(whole, longer, state, window, replace(whole, backend="openvino")),
        missing=("openvino, state, chunks of 2: it cannot",),
    )


def fake_parity() -> ParityReport:
    """Of a file that is wrong in one shape and cannot be run in another."""
    wrong = OutputCase(replace(PARITY.outputs[0], snr_db=61.5), Element((0, 3), 1.5, 1.25))
    change = Change("score", 1.0, 1.1, 1.01, 0.5)
    hole = Skipped("onnxruntime cannot run the file: odd")
    cases = (
        ParityCase({"batch": 2, "samples": 1024}, (wrong,), (change,)),
        ParityCase({"batch": 1, "samples": 6}, hole, hole),
    )
    versions = {"torch": "2.0", "onnxruntime": "1.31"}
    made = ParityReport(
        *(PARITY_SCHEMA, "hifi-export 0", "mpd-11", "mpd-11.onnx", "ab" * 32, "seed 0", "cd" * 32),
        *("clip", versions, 20.0, cases, "int8"),
    )
    return replace(made, budget_db=100.0, layers=Skipped("no audio"))


RECORDS = {
    "report": fake_rows(),
    "tune": fake_tuning(),
    "mixed": fake_mixing(),
    "parity": (fake_parity(),),
    "stream": fake_streaming(),
}
DOCUMENTS = {
    "report": report.document(fake_rows()),
    "tune": tuning.document(fake_tuned()),
    "tune in short": tuning.brief(fake_tuning()),
    "mixed": mixed.document(fake_mixing()),
    "parity": parity.document((fake_parity(),)),
    "stream": streaming.document(fake_streaming()),
    "compare": comparison.document(compare(fake_rows(), fake_report(fake_result("torch")))),
}
FORMATS = {
    "terminal": printed,
    "markdown": markdown,
    "brief": markdown_page.brief,
    "html": html,
}
