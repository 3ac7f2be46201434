"""A3: classic mistakes lose exactly the points that they should, right but unusual answers lose none."""

from mistakes import Suite, Table

# Tasks whose checks look at a task's answer too, or whose master calls it.
MEETS = {
    "scale_and_shift": {"couple", "uncouple", "encode", "decode", "log_likelihood"},
    "couple": {"encode", "log_likelihood"},
    "uncouple": {"decode"},
    "encode": {"log_likelihood"},
    "to_logits": {"log_likelihood"},
    "log_density": {"log_likelihood"},
    "dequantize": {"train"},
}

# (what, task, old, new, points lost by task, a word of the feedback)
MISTAKES = [
    ("sign of the log-slope", "bend", "(1 + a * (1 - t**2)).log()", "-(1 + a * (1 - t**2)).log()", {"bend": 3}, "sign"),
    ("the slope without its logarithm", "bend", ".log()", "", {"bend": 3}, "logarithm"),
    ("a tanh taken off", "bend", "x + a * t,", "x - a * t,", {"bend": 3}, "taken off"),
    ("tanh for its derivative", "bend", "(1 - t**2)", "t", {"bend": 3}, "1 − tanh²"),
    ("f for its inverse", "unbend", "return (low + high) / 2", "return z + a * z.tanh()", {"unbend": 3}, "inverse"),
    ("one step of an iteration", "unbend", "return (low + high) / 2", "return z - a * z.tanh()", {"unbend": 3}, "first step"),
    ("a bracket that is too short", "unbend", "z - abs(a), z + abs(a)", "z - 1, z + 1", {"unbend": 2}, "differ"),
    ("a bracket on the wrong side", "unbend", "z - abs(a), z + abs(a)", "z - a, z + a", {"unbend": 1}, "differ"),
    ("product of log-determinants", "log_density", "log_dets.sum(0)", "log_dets.prod(0)", {"log_density": 2}, "multiplied"),
    ("log-determinants taken off", "log_density", "log_pz + log", "log_pz - log", {"log_density": 2}, "sign"),
    ("the Gaussian's constant is missing", "log_density", "(z**2 + math.log(2 * math.pi))", "(z**2)", {"log_density": 2},
     "constant"),
    ("the Gaussian's constant once", "log_density", "-0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)",
     "-0.5 * (z**2).sum(-1) - 0.5 * math.log(2 * math.pi)", {"log_density": 2}, "each of the D"),
    ("all images in one number", "log_density", "(z**2 + math.log(2 * math.pi)).sum(-1)", "(z**2 + math.log(2 * math.pi)).sum()",
     {"log_density": 2}, "sum over its pixels"),
    ("stripes", "masks", "(rows[:, None] + columns).flatten()", "columns.repeat(height)", {"masks": 2}, "columns"),
    ("every second pixel", "masks", "(rows[:, None] + columns).flatten()", "torch.arange(height * width)", {"masks": 2},
     "columns"),
    ("top left changed first", "masks", "dark == k % 2", "dark != k % 2", {"masks": 2}, "top left"),
    ("one mask for all layers", "masks", "dark == k % 2", "dark == 0", {"masks": 1}, "complement"),
    ("no tanh", "scale_and_shift", ".tanh()", "", {"scale_and_shift": 2}, "tanh"),
    ("the network sees everything", "scale_and_shift", "net(x * mask)", "net(x)", {"scale_and_shift": 2}, "about to change"),
    ("kept coordinates stretched", "scale_and_shift", "scale.tanh() * (1 - mask)", "scale.tanh()", {"scale_and_shift": 1},
     "not 0"),
    ("mask turned round in the answers", "scale_and_shift", "return scale.tanh() * (1 - mask), shift * (1 - mask)",
     "return scale.tanh() * mask, shift * mask", {"scale_and_shift": 4}, "1 for kept"),
    ("tanh of the shift", "scale_and_shift", "shift * (1", "shift.tanh() * (1", {"scale_and_shift": 1}, "scale only"),
    ("log-determinant's sign", "couple", "s.sum(-1)", "-s.sum(-1)", {"couple": 3}, "sign"),
    ("scales averaged", "couple", "s.sum(-1)", "s.mean(-1)", {"couple": 3}, "averaged"),
    ("sum over the batch", "couple", "s.sum(-1)", "s.sum()", {"couple": 3, "encode": 3}, "last dimension"),
    ("the determinant for its logarithm", "couple", "s.sum(-1)", "s.sum(-1).exp()", {"couple": 3}, "logarithm"),
    ("shift before stretch", "couple", "x * s.exp() + t", "(x + t) * s.exp()", {"couple": 3}, "first"),
    ("no log-determinant at all", "couple", "s.sum(-1)", "x.new_zeros(len(x))", {"couple": 3, "encode": 3}, "stretching"),
    ("a detached log-determinant", "couple", "s.sum(-1)", "s.sum(-1).detach()", {"couple": 1, "encode": 1}, "detached"),
    ("shift added once more", "uncouple", "(y - t)", "(y + t)", {"uncouple": 4}, "once more"),
    ("stretched once more", "uncouple", "(-s).exp()", "s.exp()", {"uncouple": 3}, "divide"),
    ("stretch undone first", "uncouple", "(y - t) * (-s).exp()", "y * (-s).exp() - t", {"uncouple": 3}, "goes first"),
    ("only the last log-determinant", "encode", "total = total + log_det", "total = log_det", {"encode": 3}, "last layer"),
    ("the first mask for all layers", "encode", "couple(x, mask, net)", "couple(x, masks[0], net)", {"encode": 2}, "own mask"),
    ("log-determinants multiplied", "encode", "total = total + log_det", "total = (total if net is not nets[0] else 1) * log_det",
     {"encode": 3}, "multiplied"),
    ("inverse in forward order", "decode", "reversed(range(len(nets)))", "range(len(nets))", {"decode": 3}, "last"),
    ("forwards for backwards", "decode", "z = uncouple(z, masks[k], nets[k])", "z = couple(z, masks[k], nets[k])[0]",
     {"decode": 4}, "differ"),
    ("noise around the level", "dequantize", "levels + u", "levels + u - 0.5", {"dequantize": 2}, "one half"),
    ("no noise", "dequantize", "levels + u", "levels + 0 * u", {"dequantize": 2}, "missing"),
    ("divided too early", "dequantize", "levels + u", "(levels + u) / 256", {"dequantize": 2}, "next step"),
    ("log 256 is missing", "to_logits", "math.log((1 - alpha) / 256)", "math.log(1 - alpha)", {"to_logits": 2}, "missing"),
    ("log 256 with the wrong sign", "to_logits", "math.log((1 - alpha) / 256)", "math.log((1 - alpha) * 256)", {"to_logits": 2},
     "wrong sign"),
    ("log(1 - alpha) dropped", "to_logits", "math.log((1 - alpha) / 256)", "math.log(1 / 256)", {"to_logits": 1}, "1 − α"),
    ("divided by 255", "to_logits", "v / 256", "v / 255", {"to_logits": 4}, "255"),
    ("alpha left out of y", "to_logits", "alpha / 2 + (1 - alpha) * v / 256", "v / 256", {"to_logits": 2}, "left out"),
    ("sign of the logit's part", "to_logits", "256) - y.log() - (1 - y).log()", "256) + y.log() + (1 - y).log()",
     {"to_logits": 2}, "turned round"),
    ("constants once an image", "to_logits", "math.log((1 - alpha) / 256) - y.log() - (1 - y).log()",
     "math.log((1 - alpha) / 256) / v.shape[-1] - y.log() - (1 - y).log()", {"to_logits": 3}, "each pixel"),
    ("no clamp", "to_levels", ".clamp(0, 255)", "", {"to_levels": 1}, "clamp"),
    ("rounded to the nearest", "to_levels", ".floor()", ".round()", {"to_levels": 2}, "nearest"),
    ("alpha not undone", "to_levels", "(h.sigmoid() - alpha / 2) / (1 - alpha)", "h.sigmoid()", {"to_levels": 3}, "α"),
    ("no sigmoid", "to_levels", "h.sigmoid()", "h", {"to_levels": 3}, "undo the logit"),
    ("255 intervals", "to_levels", "256 * ", "255 * ", {"to_levels": 2}, "256 intervals"),
    ("last layer not zero", "ScaleShift", "        nn.init.zeros_(self.net[-1].weight)\n", "", {"ScaleShift": 2}, "last layer"),
    ("all layers zero", "ScaleShift", "nn.init.zeros_(self.net[-1].weight)", "[nn.init.zeros_(p) for p in self.parameters()]",
     {"ScaleShift": 2}, "ever learn"),
    ("tanh in the network", "ScaleShift", "return scale, shift", "return scale.tanh(), shift", {"ScaleShift": 1}, "tanh"),
    ("one answer for both", "ScaleShift", "return scale, shift", "return scale, scale", {"ScaleShift": 1}, "same"),
    ("logits' log-determinant forgotten", "log_likelihood", "torch.stack([first, second])", "second[None]", {"log_likelihood": 4},
     "step to logits"),
    ("layers' log-determinant forgotten", "log_likelihood", "torch.stack([first, second])", "first[None]",
     {"log_likelihood": 4}, "of the layers"),
    ("the loss for the likelihood", "log_likelihood", "return log", "return -log", {"log_likelihood": 4}, "sign"),
    ("mean over the batch", "log_likelihood", "torch.stack([first, second]))", "torch.stack([first, second])).mean()",
     {"log_likelihood": 4}, "later"),
    ("nats for bits", "bits_per_dim", "(dims * math.log(2))", "dims", {"bits_per_dim": 2}, "nats"),
    ("bits of the whole image", "bits_per_dim", "(dims * math.log(2))", "math.log(2)", {"bits_per_dim": 2}, "per dimension"),
    ("sign of the bits", "bits_per_dim", "-log_p", "log_p", {"bits_per_dim": 2}, "sign"),
    ("bits of all images", "bits_per_dim", "-log_p", "-torch.as_tensor(log_p).sum()", {"bits_per_dim": 1}, "shape"),
    ("no noise while training", "train", "dequantize(levels[rows], u)", "levels[rows]", {"train": 2}, "no noise"),
    ("downhill", "train", "(-log_p).backward()", "log_p.backward()", {"train": 2}, "downwards"),
    ("the loss in the history", "train", "total += log_p", "total -= log_p", {"train": 4}, "loss"),
    ("gradients pile up", "train", "            optimizer.zero_grad()\n", "", {"train": 2}, "zero_grad"),
    ("another optimiser", "train", "optim.Adam", "optim.SGD", {"train": 2}, "Adam"),
    ("batches averaged, not images", "train", "log_p.item() * len(rows)", "log_p.item() * batch_size", {"train": 2}, "weight"),
    ("the same noise in every epoch", "train", "u = torch.rand(len(rows), levels.shape[1], generator=g)",
     "torch.rand(len(rows), levels.shape[1], generator=g)\n"
     "            u = torch.rand(len(rows), levels.shape[1], generator=torch.Generator().manual_seed(len(rows)))",
     {"train": 2}, "same noise"),
]  # fmt: skip
TABLE = Table("A3", MISTAKES, MEETS)

RIGHT = [
    ("autograd's slope", "bend", "t = x.tanh()\n    return x + a * t, (1 + a * (1 - t**2)).log()",
     "x = x.detach().requires_grad_()\n"
     "    z = x + a * x.tanh()\n"
     "    return z.detach(), torch.autograd.grad(z.sum(), x)[0].log()"),
    ("scipy's root finder", "unbend", "low, high = z - abs(a), z + abs(a)",
     "from scipy.optimize import brentq\n"
     "    one = lambda v: brentq(lambda x: x + a * math.tanh(x) - v, v - abs(a) - 0.1, v + abs(a) + 0.1)\n"
     "    return torch.tensor([one(v) for v in z.flatten().tolist()]).reshape(z.shape)\n"
     "    low, high = z - abs(a), z + abs(a)"),
    ("torch.distributions", "log_density", "log_pz = -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)",
     "log_pz = torch.distributions.Normal(0, 1).log_prob(z).sum(1)"),
    ("truth values", "masks", "return torch.stack([(dark == k % 2).float() for k in range(layers)])",
     "return dark[None].bool() ^ (torch.arange(layers) % 2 == 0)[:, None]"),
    ("where for multiplied masks", "scale_and_shift", "return scale.tanh() * (1 - mask), shift * (1 - mask)",
     "kept, nothing = mask > 0.5, torch.zeros_like(x)\n"
     "    return torch.where(kept, nothing, torch.tanh(scale)), torch.where(kept, nothing, shift)"),
    ("by the formula of the paper", "couple", "s, t = scale_and_shift(x, mask, net)\n    return x * s.exp() + t, s.sum(-1)",
     "scale, shift = net(mask * x)\n"
     "    scale = torch.tanh(scale)\n"
     "    y = mask * x + (1 - mask) * (x * torch.exp(scale) + shift)\n"
     "    return y, ((1 - mask) * scale).sum(dim=1)"),
    ("chosen columns", "uncouple", "s, t = scale_and_shift(y, mask, net)\n    return (y - t) * (-s).exp()",
     "s, t = net(y * mask)\n"
     "    x, b = y.clone(), mask == 0\n"
     "    x[:, b] = (y[:, b] - t[:, b]) / torch.exp(torch.tanh(s[:, b]))\n"
     "    return x"),
    ("a list of log-determinants", "encode", "total = x.new_zeros(len(x))\n", "total = 0\n"),
    ("zip backwards", "decode", "for k in reversed(range(len(nets))):\n        z = uncouple(z, masks[k], nets[k])",
     "for mask, net in zip(masks.flip(0), list(nets)[::-1]):\n        z = uncouple(z, mask, net)"),
    ("logit and softplus", "to_logits", "return y.log() - (1 - y).log(), per_pixel.sum(-1)",
     "h, soft = torch.logit(y), nn.functional.softplus\n"
     "    return h, (soft(h) + soft(-h) + math.log1p(-alpha) - 8 * math.log(2)).sum(1)"),
    ("integers", "to_levels", "return v.floor().clamp(0, 255)", "return v.clamp(0, 255.5).long()"),
    ("two heads", "ScaleShift", "scale, shift = self.net(x).chunk(2, -1)\n        return scale, shift",
     "return self.scale(self.net[:4](x)), self.shift(self.net[:4](x))"),
    ("everything in one sum", "log_likelihood", "return log_density(z, torch.stack([first, second]))",
     "normal = torch.distributions.MultivariateNormal(torch.zeros(z.shape[1]), torch.eye(z.shape[1]))\n"
     "    return normal.log_prob(z) + first + second"),
    ("numpy", "bits_per_dim", "-log_p / (dims * math.log(2))", "-log_p * float(__import__('numpy').log2(math.e)) / dims"),
    ("sums and slices", "train", "for rows in torch.randperm(len(levels), generator=g).split(batch_size):",
     "order = torch.randperm(len(levels), generator=g)\n"
     "        for start in range(0, len(levels), batch_size):\n"
     "            rows = order[start : start + batch_size]"),
]  # fmt: skip
TWO_HEADS = ("ScaleShift", "nn.init.zeros_(self.net[-1].weight)\n        nn.init.zeros_(self.net[-1].bias)",
             "self.net, self.scale, self.shift = self.net[:4], nn.Linear(hidden, dim), nn.Linear(hidden, dim)\n"
             "        for p in [*self.scale.parameters(), *self.shift.parameters()]:\n"
             "            nn.init.zeros_(p)")  # fmt: skip


class TestA3(Suite):
    table, right = TABLE, [*(row[1:] for row in RIGHT), TWO_HEADS]
