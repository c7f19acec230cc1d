"""What the operator suite runs: each operation of the table as PyTorch has it.

Numbers beside tensors are such that float32 holds them, so that float64 finds nothing rounded.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int | str, ...]
WAVE: Shape = ("batch", 4, "samples")
IMAGE: Shape = ("batch", 4, "samples", 6)
ROWS: Shape = ("batch", "samples", 8)


class Call(nn.Module):
    """A layer or a function of one tensor."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("held", torch.linspace(-1, 1, 4).reshape(4, 1))

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


class Held(Call):
    """The same with a buffer beside it."""

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.held)


class Pair(nn.Module):
    """A function of two tensors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.function(x, y)


def _trained(layer: nn.Module) -> nn.Module:
    """With statistics and weights that are neither 0 nor 1."""
    generator = torch.Generator().manual_seed(3)
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) + 0.5
    return layer


class Inplace(nn.Module):
    """What is kept before an activation in place is what it left."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * 2
        kept = y
        y += 1
        F.leaky_relu(y, 0.25, inplace=True)
        return kept, y.sub_(3)


EPS = 2**-10
LAYERS: dict[str, tuple[nn.Module, Shape]] = {
    "Conv1d": (nn.Conv1d(4, 6, 3, 2, 1, 2), WAVE),
    "Conv1d without bias": (nn.Conv1d(4, 6, 3, bias=False), WAVE),
    "Conv1d groups": (nn.Conv1d(4, 8, 3, 1, 2, groups=4), WAVE),
    "Conv1d same": (nn.Conv1d(4, 6, 4, padding="same"), WAVE),
    "Conv1d valid": (nn.Conv1d(4, 6, 4, padding="valid"), WAVE),
    "Conv1d reflect": (nn.Conv1d(4, 6, 5, padding=2, padding_mode="reflect"), WAVE),
    "Conv1d replicate": (nn.Conv1d(4, 6, 5, padding=2, padding_mode="replicate"), WAVE),
    "Conv1d circular": (nn.Conv1d(4, 6, 5, padding=2, padding_mode="circular"), WAVE),
    "Conv1d reflect same": (nn.Conv1d(4, 6, 4, padding="same", padding_mode="reflect"), WAVE),
    "Conv2d": (nn.Conv2d(4, 3, (3, 2), (2, 1), (1, 0), (1, 2)), IMAGE),
    "Conv2d reflect": (nn.Conv2d(4, 3, 3, padding=(1, 2), padding_mode="reflect"), IMAGE),
    "ConvTranspose1d": (nn.ConvTranspose1d(4, 6, 4, 2, 1), WAVE),
    "ConvTranspose1d all": (nn.ConvTranspose1d(4, 6, 5, 3, 2, 2, 2, True, 2), WAVE),
    "ConvTranspose1d beyond": (nn.ConvTranspose1d(4, 6, 1, 3, 0, 2), WAVE),
    "ConvTranspose1d without bias": (nn.ConvTranspose1d(4, 2, 3, bias=False), WAVE),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 6, (4, 3), (2, 1), (1, 0), (1, 0), 2), IMAGE),
    "Linear": (nn.Linear(8, 5), ROWS),
    "Linear without bias": (nn.Linear(8, 5, bias=False), ROWS),
    "Linear of a flat one": (nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)),
                             WAVE),
    "AvgPool1d": (nn.AvgPool1d(3, 2, 1), WAVE),
    "AvgPool1d not counting": (nn.AvgPool1d(4, 3, 2, count_include_pad=False), WAVE),
    "AvgPool2d": (nn.AvgPool2d((3, 2), (2, 1), (1, 0)), IMAGE),
    "MaxPool1d": (nn.MaxPool1d(3, 2, 1), WAVE),
    "MaxPool1d dilation": (nn.MaxPool1d(2, 1, 0, 3), WAVE),
    "MaxPool2d": (nn.MaxPool2d(2), IMAGE),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(1), WAVE),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "AdaptiveMaxPool1d": (nn.AdaptiveMaxPool1d(1), WAVE),
    "ReflectionPad1d": (nn.ReflectionPad1d((3, 2)), WAVE),
    "ReflectionPad2d": (nn.ReflectionPad2d((1, 2, 3, 0)), IMAGE),
    "ReplicationPad1d": (nn.ReplicationPad1d((0, 4)), WAVE),
    "ReplicationPad2d": (nn.ReplicationPad2d(2), IMAGE),
    "ConstantPad1d": (nn.ConstantPad1d((2, 0), 0.5), WAVE),
    "ZeroPad2d": (nn.ZeroPad2d((1, -1, 0, 2)), IMAGE),
    "CircularPad1d": (nn.CircularPad1d((2, 3)), WAVE),
    "LeakyReLU": (nn.LeakyReLU(0.125), WAVE),
    "LeakyReLU in place": (nn.LeakyReLU(0.125, inplace=True), WAVE),
    "ReLU": (nn.ReLU(), WAVE),
    "ReLU6": (nn.ReLU6(), WAVE),
    "PReLU": (nn.PReLU(), WAVE),
    "PReLU of channels": (_trained(nn.PReLU(4)), IMAGE),
    "ELU": (nn.ELU(0.5), WAVE),
    "GELU": (nn.GELU(), WAVE),
    "SiLU": (nn.SiLU(), WAVE),
    "GLU": (nn.GLU(1), WAVE),
    "Softplus": (nn.Softplus(), WAVE),
    "Softplus beta": (nn.Softplus(2), WAVE),
    "Softsign": (nn.Softsign(), WAVE),
    "Tanh": (nn.Tanh(), WAVE),
    "Sigmoid": (nn.Sigmoid(), WAVE),
    "Hardtanh": (nn.Hardtanh(-0.5, 0.25), WAVE),
    "Softmax": (nn.Softmax(1), WAVE),
    "Softmax of the last": (nn.Softmax(-1), WAVE),
    "LogSoftmax": (nn.LogSoftmax(1), WAVE),
    "Upsample": (nn.Upsample(scale_factor=3), WAVE),
    "Upsample 2d": (nn.Upsample(scale_factor=(2, 1)), IMAGE),
    "LayerNorm": (_trained(nn.LayerNorm(8, EPS)), ROWS),
    "LayerNorm plain": (nn.LayerNorm(8, EPS, elementwise_affine=False), ROWS),
    "LayerNorm without bias": (_trained(nn.LayerNorm(8, EPS, bias=False)), ROWS),
    "GroupNorm": (_trained(nn.GroupNorm(2, 4, EPS)), WAVE),
    "InstanceNorm1d": (nn.InstanceNorm1d(4, EPS), WAVE),
    "InstanceNorm2d": (_trained(nn.InstanceNorm2d(4, EPS, affine=True)), IMAGE),
    "BatchNorm1d": (_trained(nn.BatchNorm1d(4, EPS)), WAVE),
    "BatchNorm2d": (_trained(nn.BatchNorm2d(4, EPS)), IMAGE),
    "Dropout": (nn.Sequential(nn.Dropout(), nn.Identity(), nn.Tanh()), WAVE),
    "Flatten": (nn.Flatten(2), IMAGE),
    "Unflatten": (nn.Unflatten(1, (2, 2)), WAVE),
    "in place": (Inplace(), WAVE),
}  # fmt: skip

FUNCTIONS: dict[str, tuple[Callable[..., Any], Shape]] = {
    "arithmetic": (lambda x: (x + 2 - x * 0.5) / 4 + (1 - x) / 2 + -x, WAVE),
    "reverse": (lambda x: 2 / (x * x + 1) - (3 - x), WAVE),
    "alpha": (lambda x: torch.add(x, x, alpha=2) - torch.sub(x, x, alpha=3), WAVE),
    "power": (lambda x: x**2 + x.pow(3) + torch.pow(2, x), WAVE),
    "abs log": (lambda x: torch.log(x.abs() + 1) + torch.sqrt(abs(x)), WAVE),
    "exp sin cos": (lambda x: torch.exp(x) + torch.sin(x) - x.cos(), WAVE),
    "rsqrt": (lambda x: torch.rsqrt(x * x + 1) + torch.reciprocal(x * x + 2), WAVE),
    "erf": (torch.erf, WAVE),
    "whole": (lambda x: torch.floor(x) + torch.ceil(x) + torch.round(x) + torch.sign(x), WAVE),
    "extremes": (lambda x: torch.maximum(x, -x) + torch.minimum(x, x * x), WAVE),
    "relu6": (F.relu6, WAVE),
    "square": (lambda x: torch.square(x) + 2**x, WAVE),
    "expand as": (lambda x: x[:, :1].expand_as(x) + 1, WAVE),
    "index select": (lambda x: x.index_select(1, torch.tensor([3, 1])) + 1, WAVE),
    "three axes": (lambda x: F.avg_pool3d(F.max_pool3d(x.unsqueeze(1), 1), (2, 3, 1)), IMAGE),
    "convolutions of three axes": (lambda x: F.conv_transpose3d(
        F.conv3d(x.unsqueeze(1), torch.ones(2, 1, 1, 2, 3)), torch.ones(2, 3, 2, 1, 1)), IMAGE),
    "clamp": (lambda x: torch.clamp(x, -0.5, 0.5), WAVE),
    "clamp below": (lambda x: x.clamp(min=0.25), WAVE),
    "clamp above": (lambda x: torch.clamp(x, max=0.25), WAVE),
    "by its length": (lambda x: x.sum(-1, keepdim=True) / x.shape[-1], WAVE),
    "scaled by a length": (lambda x: x * (x.shape[-1] % 4 + 1), WAVE),
    "pad to a multiple": (lambda x: F.pad(x, (0, -x.shape[-1] % 5)), WAVE),
    "pad with a number": (lambda x: F.pad(x, (1, 2), value=-1.5), WAVE),
    "pad channels": (lambda x: F.pad(x, (0, 0, 1, 2)), WAVE),
    "pad nothing": (lambda x: F.pad(x, (0, 0)) + 1, WAVE),
    "crop": (lambda x: F.pad(x, (-1, -2)), WAVE),
    "replicate": (lambda x: F.pad(x, (2, 1), mode="replicate"), WAVE),
    "circular": (lambda x: F.pad(x, (2, 1), mode="circular"), WAVE),
    "pad by half": (lambda x: F.pad(x, (x.shape[-1] // 2, x.shape[2] - 1), mode="reflect"), WAVE),
    "view": (lambda x: x.view(x.shape[0], -1, 2) + 1, WAVE),
    "view dynamic": (lambda x: x.view(x.size(0), 2, 2, x.size(-1)) + 1, WAVE),
    "reshape": (lambda x: torch.reshape(x, (-1, x.shape[-1])) * 2, WAVE),
    "reshape all": (lambda x: x.reshape(-1) * 2, WAVE),
    "reshape computed": (lambda x: x.reshape(x.shape[0] * 2, x.shape[-1] * 2) * 2, WAVE),
    "reshape of several": (lambda x: x.reshape(x.shape[0] * 2, 2, x.shape[2]) + 1, WAVE),
    "view as": (lambda x: x.reshape(-1).view_as(x) * 2, WAVE),
    "unpack": (lambda x: x.view(*x.shape[:1], x.shape[1] * x.shape[2]) * 2, WAVE),
    "fold": (lambda x: torch.unflatten(F.pad(x, (0, -x.shape[-1] % 3), "reflect"), -1, (-1, 3)) * 2,
             WAVE),
    "flatten in the middle": (lambda x: torch.flatten(x, 1, 2) * 2, IMAGE),
    "flatten in front": (lambda x: torch.flatten(x, 0, 1) * 2, IMAGE),
    "flatten before a dynamic axis": (lambda x: x.unsqueeze(-1).flatten(0, 1) * 2, WAVE),
    "squeeze": (lambda x: x.mean(1, keepdim=True).squeeze(1), WAVE),
    "squeeze no": (lambda x: x.squeeze(1) + 1, WAVE),
    "unsqueeze": (lambda x: x.unsqueeze(1).unsqueeze(-1) * 2, WAVE),
    "transpose": (lambda x: x.transpose(1, 2) * 2, WAVE),
    "permute": (lambda x: x.permute(0, 3, 1, 2) * 2, IMAGE),
    "turned": (lambda x: x.mT * 2, WAVE),
    "expand": (lambda x: x[:, :1].expand(-1, 3, -1) + 1, WAVE),
    "expand dynamic": (lambda x: x[..., :1].expand(x.shape[0], 4, x.shape[-1]) + 1, WAVE),
    "cat": (lambda x: torch.cat((x, x * 2), 1), WAVE),
    "cat of the batch": (lambda x: torch.cat((x, x * 2)), WAVE),
    "cat of the last": (lambda x: torch.cat([x, x * 2, x], dim=-1), WAVE),
    "stack": (lambda x: torch.stack((x, x * 2), 1), WAVE),
    "slice": (lambda x: x[:, 1:3, 2:-1] + 1, WAVE),
    "slice from behind": (lambda x: x[..., -3:] + 1, WAVE),
    "slice by steps": (lambda x: x[:, ::2, 1::3] + 1, WAVE),
    "slice by half": (lambda x: x[..., : x.shape[-1] // 2 + 1] + 1, WAVE),
    "numbers": (lambda x: x[:, 0] + x[:, -1], WAVE),
    "new axes": (lambda x: x[:, None, 1, :, None] + 1, WAVE),
    "numbers on both sides": (lambda x: x[:, 2, ..., 3] + 1, IMAGE),
    "chunk": (lambda x: torch.chunk(x, 2, 1)[1] * 2, WAVE),
    "split": (lambda x: torch.cat(torch.split(x, [1, 3], 1)[::-1], 1), WAVE),
    "split in equal parts": (lambda x: x.split(3, dim=1)[1] + 1, WAVE),
    "unbind": (lambda x: sum(x.unbind(1)), WAVE),
    "a loop": (lambda x: sum(row for row in x.transpose(0, 1)), WAVE),
    "narrow": (lambda x: x.narrow(1, 1, 2) + x.select(1, 0).unsqueeze(1), WAVE),
    "index": (lambda x: x[:, torch.tensor([2, 0, 0])] + 1, WAVE),
    "mean": (lambda x: x.mean(-1) + torch.mean(x, (1, 2), keepdim=True).squeeze(1), WAVE),
    "mean of all": (lambda x: x.mean(), WAVE),
    "extremes of an axis": (lambda x: x.amax(1) - x.amin(dim=1), WAVE),
    "matmul": (lambda x: torch.matmul(x, x.transpose(1, 2)), WAVE),
    "bmm": (lambda x: torch.bmm(x.transpose(1, 2), x), WAVE),
    "matmul of vectors": (lambda x: x @ torch.tensor([1.0, 2, 3, 4, 5, 6]), IMAGE),
    "matmul of a constant": (lambda x: torch.ones(3, 4) @ x, WAVE),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2.0), WAVE),
    "log softmax": (lambda x: x.log_softmax(1), WAVE),
    "functional": (lambda x: F.elu(F.silu(F.relu(x, inplace=False)), alpha=0.5), WAVE),
    "leaky in place": (lambda x: F.leaky_relu(x * 2, 0.25, True), WAVE),
    "moved": (lambda x: x.contiguous().detach().to(x.dtype).clone() + 1, WAVE),
    "fixed lengths are numbers": (lambda x: x / x.shape[1] if x.shape[1] > 2 else x, WAVE),
    "in place on copies": (lambda x: x.clone().add_(1) + torch.cat((x, x), 1)[:, 4:] + F.pad(
        x, (0, 0)).mul_(2), WAVE),
    "a length by a tensor": (lambda x: x.shape[-1] * x + x.shape[-1] / (x * x + 1), WAVE),
    "other spellings": (lambda x: x.mean(axis=1, keepdims=True) + torch.exp(input=x), WAVE),
    "equal shapes": (lambda x: x + 1 if (x * 2).shape == x.shape else x, WAVE),
    "ranks are numbers": (lambda x: x * x.ndim + x.dim() + len(x.shape), WAVE),
}  # fmt: skip

HELD: dict[str, tuple[Callable[..., Any], Shape]] = {
    "buffer": (lambda x, held: x * held + held, WAVE),
    "buffer first": (lambda x, held: held - x, WAVE),
    "computed of a buffer": (lambda x, held: x * torch.exp2(held.round()), WAVE),
    "scalar tensor": (lambda x, held: x * torch.tensor(0.5) + held, WAVE),
    "computed weight": (
        lambda x, held: F.conv1d(x, held.reshape(4, 1, 1).expand(-1, 1, 3), groups=x.shape[1]),
        WAVE,
    ),
}

ROUNDED: dict[str, tuple[nn.Module, Shape]] = {
    "GELU tanh": (nn.GELU("tanh"), WAVE),  # of constants that float32 rounds
    "LeakyReLU 0.1": (nn.LeakyReLU(0.1), WAVE),
}


def cases() -> dict[str, tuple[nn.Module, Shape, float]]:
    """Module, shape of its input, least SNR in float64, dB."""
    found: dict[str, tuple[nn.Module, Shape, float]] = {
        name: (Call(layer), shape, 250.0) for name, (layer, shape) in LAYERS.items()
    }
    found |= {name: (Call(f), shape, 250.0) for name, (f, shape) in FUNCTIONS.items()}
    found |= {name: (Held(f), shape, 250.0) for name, (f, shape) in HELD.items()}
    found |= {name: (Call(layer), shape, 140.0) for name, (layer, shape) in ROUNDED.items()}
    for module, _, _ in found.values():
        module.eval().requires_grad_(False)
    return found
