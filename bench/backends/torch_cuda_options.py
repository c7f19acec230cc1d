"""What may be set for PyTorch on a GPU, eager or compiled."""

from bench.backend import Option

OPTIONS = (
    Option("tf32", ("off", "on"), "convolutions in TF32"),
    Option("cudnn_benchmark", ("on", "off"), "cuDNN tries its algorithms and takes the fastest"),
    Option("norms", ("as-trained", "folded"), "computed in each pass, or folded into the weights"),
)
