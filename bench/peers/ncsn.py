"""NCSN's conditional RefineNet (Song and Ermon 2019) in PyTorch (score 3.1 to 3.4)."""
import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, dilation=1, bias=True):
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)


class Norm(nn.Module):
    """Conditional InstanceNorm++: gamma (h + alpha c) + beta, in one pass over h."""

    def __init__(self, channels, levels):
        super().__init__()
        self.embed = nn.Embedding(levels, 3 * channels)
        with torch.no_grad():
            self.embed.weight[:, :2 * channels].normal_(1, 0.02)
            self.embed.weight[:, 2 * channels:].zero_()

    def forward(self, x, label):
        gamma, alpha, beta = self.embed(label).chunk(3, 1)
        mean = x.mean((2, 3))
        c = (mean - mean.mean(1, keepdim=True)) / torch.sqrt(mean.var(1, keepdim=True) + 1e-5)
        shift = beta + gamma * alpha * c
        return torch.addcmul(shift[:, :, None, None], gamma[:, :, None, None], F.instance_norm(x))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, levels, dilation=1, kind="same"):
        super().__init__()
        between = outputs if kind == "same" else inputs
        self.kind = kind
        self.norm1, self.conv1 = Norm(inputs, levels), conv(inputs, between, dilation)
        self.norm2, self.conv2 = Norm(between, levels), conv(between, outputs, dilation)
        if kind == "down":
            self.shortcut = nn.Conv2d(inputs, outputs, 1)
        elif kind == "dilated":
            self.shortcut = conv(inputs, outputs, dilation)

    def forward(self, x, label):
        y = self.conv1(F.elu(self.norm1(x, label)))
        y = self.conv2(F.elu(self.norm2(y, label)))
        if self.kind != "same":
            x = self.shortcut(x)
        return F.avg_pool2d(y, 2) + F.avg_pool2d(x, 2) if self.kind == "down" else y + x


class Rcu(nn.Module):
    def __init__(self, f, blocks, levels):
        super().__init__()
        self.norms = nn.ModuleList(Norm(f, levels) for _ in range(2 * blocks))
        self.convs = nn.ModuleList(conv(f, f, bias=False) for _ in range(2 * blocks))

    def forward(self, x, label):
        for i in range(0, len(self.convs), 2):
            y = self.convs[i](F.elu(self.norms[i](x, label)))
            x = x + self.convs[i + 1](F.elu(self.norms[i + 1](y, label)))
        return x


class Refine(nn.Module):
    def __init__(self, inputs, f, blocks, levels):
        super().__init__()
        self.adapt = nn.ModuleList(Rcu(p, 2, levels) for p in inputs)
        many = inputs if len(inputs) > 1 else []
        self.msf_norms = nn.ModuleList(Norm(p, levels) for p in many)
        self.msf_convs = nn.ModuleList(conv(p, f) for p in many)
        self.crp_norms = nn.ModuleList(Norm(f, levels) for _ in range(2))
        self.crp_convs = nn.ModuleList(conv(f, f, bias=False) for _ in range(2))
        self.output = Rcu(f, blocks, levels)

    def fuse(self, h, label):
        size = h[0].shape[2:]
        parts = [c(n(x, label)) for n, c, x in zip(self.msf_norms, self.msf_convs, h)]
        return sum(p if p.shape[2:] == size else F.interpolate(p, size, mode="bilinear", align_corners=True) for p in parts)

    def forward(self, xs, label):
        h = [rcu(x, label) for rcu, x in zip(self.adapt, xs)]
        x = F.elu(self.fuse(h, label) if len(h) > 1 else h[0])
        path = x
        for n, c in zip(self.crp_norms, self.crp_convs):
            path = c(F.avg_pool2d(n(path, label), 5, stride=1, padding=2))
            x = x + path
        return self.output(x, label)


class Ncsn(nn.Module):
    def __init__(self, size, channels, f, levels=10):
        super().__init__()
        self.size, self.channels = size, channels
        self.begin, self.end = conv(channels, f), conv(f, channels)
        self.norm = Norm(f, levels)
        self.stages = nn.ModuleList(nn.ModuleList(blocks) for blocks in (
            (Residual(f, f, levels), Residual(f, f, levels)),
            (Residual(f, 2 * f, levels, kind="down"), Residual(2 * f, 2 * f, levels)),
            (Residual(2 * f, 2 * f, levels, 2, "dilated"), Residual(2 * f, 2 * f, levels, 2)),
            (Residual(2 * f, 2 * f, levels, 4, "dilated"), Residual(2 * f, 2 * f, levels, 4))))
        self.refine = nn.ModuleList((Refine([2 * f], 2 * f, 1, levels), Refine([2 * f, 2 * f], 2 * f, 1, levels),
                                     Refine([2 * f, 2 * f], f, 1, levels), Refine([f, f], f, 3, levels)))
        self.register_buffer("sigma", torch.logspace(0, -2, levels))

    def score(self, x, label):
        x = self.begin(2 * x - 1)
        outputs = []
        for stage in self.stages:
            for block in stage:
                x = block(x, label)
            outputs.append(x)
        s1, s2, s3, s4 = outputs
        x = self.refine[0]([s4], label)
        for refine, s in zip(self.refine[1:], (s3, s2, s1)):
            x = refine([s, x], label)
        return self.end(F.elu(self.norm(x, label)))

    def loss(self, v):
        """Denoising score matching, weighted by sigma^2, of each image v of bytes."""
        x = (v + torch.rand_like(v)) / 256
        label = torch.randint(0, len(self.sigma), (len(v),))
        sigma, z = self.sigma[label][:, None, None, None], torch.randn_like(x)
        s = self.score(x + sigma * z, label)
        return 0.5 * ((sigma * s + z) ** 2).sum((1, 2, 3))

    def parts(self):
        """What is compiled alone."""
        return [block for stage in self.stages for block in stage] + list(self.refine)

    # ---- what is measured: run.py ------------------------------------------------------------------------

    def batch(self, n):
        return torch.randint(0, 256, (n, self.channels, self.size, self.size)).float()

    def draw(self, x, eta=2e-5):
        """x a Langevin step later."""
        label = torch.full((len(x),), len(self.sigma) - 1)
        return x + eta * self.score(x, label) + (2 * eta) ** 0.5 * torch.randn_like(x)
