"""Glow (Kingma and Dhariwal 2018) as rheo builds it, in PyTorch: affine couplings, LU-factored 1x1 convolutions, zero padding.

Halves stand where rheo interleaves the coupling's two outputs: the same model under a permutation of weights, and contiguous.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


class Affine(nn.Module):
    """(x + bias) exp(3 log_scale), whitened by the first batch; the log-determinant of a position is the sum of 3 log_scale."""

    def __init__(self, channels, data_dependent=True):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.pending = data_dependent

    def initialise(self, x):
        mean = x.mean((0, 2, 3), keepdim=True)
        deviation = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True).sqrt()
        with torch.no_grad():
            self.bias.copy_(-mean)
            self.log_scale.copy_(-torch.log(deviation + 1e-6) / 3)
        self.pending = False

    def forward(self, x):
        if self.pending:
            self.initialise(x)
        return (x + self.bias) * torch.exp(3 * self.log_scale)

    def inverse(self, y):
        return y * torch.exp(-3 * self.log_scale) - self.bias

    def logdet(self):
        return 3 * self.log_scale.sum()


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel, zero=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.affine = Affine(outputs, not zero)
        nn.init.zeros_(self.conv.weight) if zero else nn.init.normal_(self.conv.weight, 0, 0.05)

    def forward(self, x):
        return self.affine(self.conv(x))


class Conv1x1(nn.Module):
    """W = P L (U + diag(sign exp(log s))), all three factors in one square: log s is its diagonal."""

    def __init__(self, channels):
        super().__init__()
        p, lower, upper = torch.linalg.lu(torch.linalg.qr(torch.randn(channels, channels))[0])
        s = upper.diagonal()
        self.factors = nn.Parameter(lower.tril(-1) + upper.triu(1) + torch.diag(s.abs().log()))
        self.register_buffer("permutation", p)
        self.register_buffer("sign", s.sign())
        self.register_buffer("one", torch.eye(channels))

    def triangles(self):
        lower = self.factors.tril(-1) + self.one
        return lower, self.factors.triu(1) + torch.diag(self.sign * self.factors.diagonal().exp())

    def forward(self, x):
        lower, upper = self.triangles()
        return F.conv2d(x, (self.permutation @ lower @ upper)[:, :, None, None])

    def inverse(self, y):
        lower, upper = self.triangles()
        half = torch.linalg.solve_triangular(lower, self.permutation.T, upper=False, unitriangular=True)
        return F.conv2d(y, torch.linalg.solve_triangular(upper, half, upper=True)[:, :, None, None])

    def logdet(self):
        return self.factors.diagonal().sum()


class Step(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.actnorm, self.conv1x1 = Affine(channels), Conv1x1(channels)
        self.first, self.middle = Conv(channels // 2, width, 3), Conv(width, width, 1)
        self.last = Conv(width, channels, 3, zero=True)

    def coupling(self, x1):
        h = F.relu(self.middle(F.relu(self.first(x1))))
        return self.last(h).chunk(2, 1)

    def forward(self, x):
        x = self.conv1x1(self.actnorm(x))
        x1, x2 = x.chunk(2, 1)
        t, r = self.coupling(x1)
        y = torch.cat((x1, (x2 + t) * torch.sigmoid(r + 2)), 1)
        constant = (self.actnorm.logdet() + self.conv1x1.logdet()) * (x.shape[2] * x.shape[3])
        return y, F.logsigmoid(r + 2).sum((1, 2, 3)) + constant

    def inverse(self, y):
        y1, y2 = y.chunk(2, 1)
        t, r = self.coupling(y1)
        x = torch.cat((y1, y2 / torch.sigmoid(r + 2) - t), 1)
        return self.actnorm.inverse(self.conv1x1.inverse(x))


def gaussian(z, mean, log_deviation):
    e = (z - mean) * torch.exp(-log_deviation)
    return (-0.5 * (math.log(2 * math.pi) + e * e) - log_deviation).sum((1, 2, 3))


class Glow(nn.Module):
    def __init__(self, size, channels, levels, depth, width):
        super().__init__()
        self.size, self.channels = size, channels
        self.levels, self.priors, self.codes = nn.ModuleList(), nn.ModuleList(), []
        for i in range(levels):
            size, channels = size // 2, 4 * channels
            self.levels.append(nn.ModuleList(Step(channels, width) for _ in range(depth)))
            last = i + 1 == levels
            off = channels if last else channels // 2
            self.priors.append(Conv(2 * channels if last else off, 2 * off, 3, zero=True))
            self.codes.append((off, size, size))
            channels -= channels // 2
        self.register_buffer("top", torch.zeros(1, 2 * self.codes[-1][0], size, size))

    def prior(self, i, kept):
        return self.priors[i](self.top if kept is None else kept).chunk(2, 1)

    def loss(self, v):
        """-log p(x) of each image v of bytes, in nats, with uniform dequantisation."""
        z = (v + torch.rand_like(v)) / 256 - 0.5
        logp = -math.log(256) * v[0].numel()
        for i, steps in enumerate(self.levels):
            z = F.pixel_unshuffle(z, 2)
            for step in steps:
                z, logdet = step(z)
                logp = logp + logdet
            kept, off = z.chunk(2, 1) if i + 1 < len(self.levels) else (None, z)
            logp = logp + gaussian(off, *self.prior(i, kept))
            z = kept
        return -logp

    def sample(self, codes):
        """Images of bytes from codes of each level."""
        z = None
        for i in reversed(range(len(self.levels))):
            mean, log_deviation = self.prior(i, z)
            off = mean + torch.exp(log_deviation) * codes[i]
            z = off if z is None else torch.cat((z, off), 1)
            for step in reversed(self.levels[i]):
                z = step.inverse(z)
            z = F.pixel_shuffle(z, 2)
        return 256 * z + 128

    def parts(self):
        """What is compiled alone."""
        return [step for steps in self.levels for step in steps]

    # ---- what is measured: run.py ------------------------------------------------------------------------

    def batch(self, n):
        return torch.randint(0, 256, (n, self.channels, self.size, self.size)).float()

    def draw(self, x):
        """As many images as x has."""
        return self.sample([0.7 * torch.randn(len(x), *code) for code in self.codes])
