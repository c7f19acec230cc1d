"""What compares numbers, and chooses by it."""

import torch

from export.operators.operation import Operation

OPERATIONS = (
    Operation("Less", torch.lt),
    Operation("And", torch.logical_and),
    Operation("Where", torch.where, "elementwise"),
)
