"""A module of PyTorch as an ONNX graph: followed with symbols in the place of tensors."""
