"""Rebuilds a checkpoint's model in PyTorch, in double, from host/model/PARAMETERS.md alone, and compares it with what rheo computes.

    checkpoint.py build/rheo runs/first

Of a flow: the codes that `rheo encode` gives are taken back to x, whose bytes must be those that went in, then forth again; codes and
log p(x) must be rheo's. Of a score model: one Langevin step too small to see, without and with the denoising step, which adds
sigma^2 s(x, sigma) of the last level.
"""
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

TOLERANCE = 2e-4        # of the largest number: ten times what float32 loses on the way through a flow and back (rheo eval's round trip)


def load(path):
    """The tensors in double and the config; the averages where there are any."""
    raw = Path(path).read_bytes()
    size, = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8:8 + size])
    notes, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        first, last = t["data_offsets"]
        tensors[name] = torch.from_numpy(np.frombuffer(raw[8 + size + first:8 + size + last], "<f4").reshape(t["shape"]).astype(float))
    tensors.update({name[4:]: t for name, t in tensors.items() if name.startswith("ema.")})
    return tensors, json.loads(notes["config"])


# ---- glow --------------------------------------------------------------------------------------------------------


class Glow:
    def __init__(self, tensors, config):
        self.p, self.o = tensors, config["options"]
        self.image = config["data"]["kind"] == "images"
        self.shape = config["data"]["shape"]

    def conv(self, name, x):
        w = self.p[name + ".weight"]
        ring = w.shape[2] // 2
        if self.o["padding"] == "edge" and ring:
            edge = F.pad(torch.zeros_like(x[:, :1]), [ring] * 4, value=1.0)
            y = F.conv2d(torch.cat((F.pad(x, [ring] * 4), edge), 1), w)
        else:
            y = F.conv2d(x, w, padding=ring)
        return self.affine(name, y)

    def affine(self, name, x):
        return (x + self.p[name + ".bias"][:, None, None]) * torch.exp(3 * self.p[name + ".log_scale"])[:, None, None]

    def matrix(self, name):
        if self.o["permutation"] != "conv1x1":
            return self.p[name + ".permutation.permutation"], 0
        q = {key: self.p[f"{name}.conv1x1.{key}"] for key in ("permutation", "lower", "upper", "log_s", "sign")}
        lower, upper = q["lower"] + torch.eye(len(q["sign"])), q["upper"] + torch.diag(q["sign"] * torch.exp(q["log_s"]))
        return q["permutation"] @ lower @ upper, q["log_s"].sum()

    def net(self, name, x1):
        h = F.relu(self.conv(name + ".conv1", x1))
        h = self.conv(name + ".conv3", F.relu(self.conv(name + ".conv2", h)))
        return (h[:, 0::2], h[:, 1::2]) if self.o["coupling"] == "affine" else (h, None)

    def step(self, name, x):
        m, logdet = self.matrix(name)
        logdet = (logdet + 3 * self.p[name + ".actnorm.log_scale"].sum()) * (x.shape[2] * x.shape[3])
        x = F.conv2d(self.affine(name + ".actnorm", x), m.T[:, :, None, None])
        c1 = x.shape[1] // 2
        t, r = self.net(name + ".coupling.net", x[:, :c1])
        y2 = x[:, c1:] + t if r is None else (x[:, c1:] + t) * torch.sigmoid(r + 2)
        return torch.cat((x[:, :c1], y2), 1), logdet + (0 if r is None else F.logsigmoid(r + 2).sum((1, 2, 3)))

    def step_back(self, name, y):
        c1 = y.shape[1] // 2
        t, r = self.net(name + ".coupling.net", y[:, :c1])
        x = torch.cat((y[:, :c1], y[:, c1:] - t if r is None else y[:, c1:] / torch.sigmoid(r + 2) - t), 1)
        x = F.conv2d(x, torch.linalg.inv(self.matrix(name)[0]).T[:, :, None, None])
        bias, log_scale = (self.p[f"{name}.actnorm.{key}"][:, None, None] for key in ("bias", "log_scale"))
        return x * torch.exp(-3 * log_scale) - bias

    def prior(self, i, kept, latent, label=None):
        """Mean and log deviation of a latent; of models of classes given the label, or as codes are, by all classes alike."""
        if kept is not None:
            h = self.conv(f"level{i}.prior", kept)
            return h[:, 0::2], h[:, 1::2]
        h = self.conv(f"level{i}.prior", torch.zeros_like(torch.cat((latent, latent), 1)))
        classes = self.o.get("classes", 0)
        if classes:
            y = torch.full((classes,), 1 / classes) if label is None else torch.eye(classes)[label]
            h = h + self.conv(f"level{i}.class_prior", y[None, :, None, None])
        return h.chunk(2, 1)

    def forward(self, x, label=None):
        logp, codes = 0, []
        for i in range(self.o["levels"]):
            x = F.pixel_unshuffle(x, 2) if self.image else x
            for k in range(self.o["depth"]):
                x, logdet = self.step(f"level{i}.step{k}", x)
                logp = logp + logdet
            kept, latent = x.chunk(2, 1) if i + 1 < self.o["levels"] else (None, x)
            mean, log_deviation = self.prior(i, kept, latent, label)
            e = (latent - mean) * torch.exp(-log_deviation)
            logp = logp - (log_deviation + e * e / 2 + math.log(2 * math.pi) / 2).sum((1, 2, 3))
            codes.append(e.permute(0, 2, 3, 1).flatten(1))
            x = kept
        h, w, c = self.shape
        return logp - (h * w * c * self.o["bits"] * math.log(2) if self.image else 0), torch.cat(codes, 1)

    def inverse(self, codes):
        (h, w, c), levels, shapes, x = self.shape, self.o["levels"], [], None
        for i in range(levels):
            h, w, c = (h // 2, w // 2, 4 * c) if self.image else (h, w, c)
            shapes.append((h, w, c if i + 1 == levels else c // 2))
            c //= 2
        parts = codes.split([math.prod(s) for s in shapes], 1)
        for i in reversed(range(levels)):
            e = parts[i].reshape(-1, *shapes[i]).permute(0, 3, 1, 2)
            mean, log_deviation = self.prior(i, x, e)
            latent = mean + torch.exp(log_deviation) * e
            x = latent if x is None else torch.cat((x, latent), 1)
            for k in reversed(range(self.o["depth"])):
                x = self.step_back(f"level{i}.step{k}", x)
            x = F.pixel_shuffle(x, 2) if self.image else x
        return x


# ---- ncsn --------------------------------------------------------------------------------------------------------


class Ncsn:
    def __init__(self, tensors, config):
        self.p, self.o = tensors, config["options"]
        self.v2, self.level = self.o["network"] == "v2", self.o["levels"] - 1

    def conv(self, name, x, dilation=1):
        w = self.p[name + ".weight"]
        return F.conv2d(x, w, self.p.get(name + ".bias"), padding=w.shape[2] // 2 * dilation, dilation=dilation)

    def norm(self, name, x):
        row = self.p.get(name + ".weight", self.p.get(name + ".embed.weight"))
        gamma, alpha, beta = (row[self.level] if row.dim() == 2 else row).reshape(3, -1, 1, 1)
        m = x.mean((2, 3), keepdim=True)
        h = (x - m) / torch.sqrt(x.var((2, 3), correction=0, keepdim=True) + 1e-5)
        lift = alpha * (m - m.mean(1, keepdim=True)) / torch.sqrt(m.var(1, keepdim=True) + 1e-5)
        return gamma * h + (gamma * lift if self.o["innorm_form"] == "reference" else lift) + beta

    def stage(self, n, x):
        d = {3: 2, 4: 4}.get(n, 1)
        for j in range(2):
            name, down = f"res{n}.{j}", n == 2 and j == 0
            y = self.conv(name + ".conv1", F.elu(self.norm(name + ".normalize1", x)), d)
            y = self.conv(name + (".conv2.conv" if down else ".conv2"), F.elu(self.norm(name + ".normalize2", y)), d)
            if down:
                x, y = F.avg_pool2d(self.conv(name + ".shortcut.conv", x), 2), F.avg_pool2d(y, 2)
            elif n > 2 and j == 0:
                x = self.conv(name + ".shortcut", x, d)
            x = x + y
        return x

    def rcu(self, name, blocks, x):
        for i in range(1, blocks + 1):
            y = x
            for k in (1, 2):
                y = F.elu(y if self.v2 else self.norm(f"{name}.{i}_{k}_norm", y))
                y = self.conv(f"{name}.{i}_{k}_conv", y)
            x = x + y
        return x

    def refine(self, n, *inputs):
        name = f"refine{n}"
        h = [self.rcu(f"{name}.adapt_convs.{j}", 2, x) for j, x in enumerate(inputs)]
        if n > 1:
            h = [x if self.v2 else self.norm(f"{name}.msf.norms.{j}", x) for j, x in enumerate(h)]
            h = [self.conv(f"{name}.msf.convs.{j}", x) for j, x in enumerate(h)]
            h = [F.interpolate(x, h[0].shape[2:], mode="bilinear", align_corners=True) for x in h]
        p = x = F.elu(sum(h))
        for k in range(2):
            p = F.max_pool2d(p, 5, 1, 2) if self.v2 else F.avg_pool2d(self.norm(f"{name}.crp.norms.{k}", p), 5, 1, 2)
            p = self.conv(f"{name}.crp.convs.{k}", p)
            x = x + p
        return self.rcu(name + ".output_convs", 3 if n == 4 else 1, x)

    def score(self, x):
        """At the last level."""
        if self.o["network"] == "mlp":
            x = F.softplus(self.conv("layer1", x))
            return self.conv("layer3", F.softplus(self.conv("layer2", x)))
        s = [self.conv("begin_conv", 2 * x - 1 if self.o["range"] == "unit" else x)]
        for n in range(1, 5):
            s.append(self.stage(n, s[-1]))
        r = self.refine(1, s[4])
        for n in range(2, 5):
            r = self.refine(n, s[5 - n], r)
        out = self.conv("end_conv", F.elu(self.norm("normalizer", r)))
        return out / self.o["sigma_end"] if self.v2 else out


# ---- comparisons -----------------------------------------------------------------------------------------------------


def compare(what, found, expected):
    error = float(abs(found - expected).max() / abs(expected).max())
    print(f"{what:24} {error:.2e}")
    if not error <= TOLERANCE:
        raise SystemExit(f"{what}: off by {error:.2e} of the largest, expected at most {TOLERANCE:g}")


def check_glow(model, rheo, run, folder):
    codes_file, scores_file, images_file = (str(folder / name) for name in ("codes.npy", "scores.csv", "images.npy"))
    rheo("encode", run, "--limit", "20", "--out", codes_file)
    rheo("score", run, "--limit", "20", "--out", scores_file)
    rheo("decode", run, codes_file, "--out", images_file)
    codes = torch.from_numpy(np.load(codes_file).astype(float))
    scores = torch.tensor([float(line.split(",")[2]) for line in Path(scores_file).read_text().splitlines()[1:]]).double()
    images = torch.from_numpy(np.load(images_file).astype(float).reshape(-1, *model.shape)).permute(0, 3, 1, 2)
    x = model.inverse(codes)
    if model.image:     # decode gives the lower end of the cell that x lies in
        levels = 2 ** model.o["bits"]
        cells = torch.floor((x + 0.5) * levels).clamp(0, levels - 1) * (256 // levels) / 255
        print(f"{'images':24} {int((abs(cells - images) > 1e-6).sum())} of {images.numel()} differ by rounding")
        compare("images", x + 0.5, images * 255 / 256 + (x + 0.5 - images * 255 / 256).clamp(0, 1 / levels))
    else:
        compare("points", x, images)
    logp, again = model.forward(x)
    compare("codes", again, codes)
    classes = model.o.get("classes", 0)
    if classes:
        logp = torch.logsumexp(torch.stack([model.forward(x, k)[0] for k in range(classes)]), 0) - math.log(classes)
    compare("log p(x)", logp, scores)


def check_ncsn(model, rheo, run, folder):
    sigma, ends = model.o["sigma_end"], []
    for denoise in ("off", "on"):
        out = str(folder / f"{denoise}.npy")
        rheo("sample", run, "--n", "6", "--method", "langevin", "--steps", "1", "--epsilon", "1e-12", "--denoise", denoise, "--out", out)
        ends.append(torch.from_numpy(np.load(out).astype(float)).permute(0, 3, 1, 2))
    moved, inside = sigma ** 2 * model.score(ends[0]), torch.ones_like(ends[0], dtype=torch.bool)
    if model.o["network"] != "mlp":     # pixels are clamped to 0 .. 1
        inside = (ends[1] > 0) & (ends[1] < 1)
    print(f"{'pixels compared':24} {int(inside.sum())} of {inside.numel()}")
    compare("sigma^2 score", (ends[1] - ends[0])[inside], moved[inside])


def main():
    command, run = sys.argv[1:]
    torch.set_default_dtype(torch.float64)
    tensors, config = load(Path(run) / "last.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        def rheo(*arguments):
            subprocess.run([command, *arguments], check=True, stdout=subprocess.DEVNULL)
        model, check = {"glow": (Glow, check_glow), "ncsn": (Ncsn, check_ncsn)}[config["model"]]
        check(model(tensors, config), rheo, str(Path(run) / "last.safetensors"), Path(folder))


main()
