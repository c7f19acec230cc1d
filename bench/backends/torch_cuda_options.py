"""What may be set for PyTorch on a GPU, eager or compiled."""

from bench.backend import Option
from bench.precisions import precisions

OPTIONS = (
    precisions(("fp32", "tf32", "bf16", "fp16")),
    Option("cudnn_benchmark", ("on", "off"), "cuDNN tries its algorithms and takes the fastest"),
    Option("norms", ("as-trained", "folded"), "computed in each pass, or folded into the weights"),
)
