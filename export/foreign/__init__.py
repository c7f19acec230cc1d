"""ONNX files of other tools as networks: read, checked, folded, run by PyTorch."""
