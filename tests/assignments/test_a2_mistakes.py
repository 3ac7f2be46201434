"""A2: classic mistakes lose exactly the points that they should, right but unusual answers lose none."""

from mistakes import Suite, Table

# (what, task, old, new, points lost by task, a word of the feedback)
MISTAKES = [
    ("p_g for p in D*", "best_discriminator", "p / (p + p_g)", "p_g / (p + p_g)", {"best_discriminator": 3}, "swapped"),
    ("a ratio for D*", "best_discriminator", "p / (p + p_g)", "p / p_g", {"best_discriminator": 4}, "ratio"),
    ("the mean below D*", "best_discriminator", "(p + p_g)", "((p + p_g) / 2)", {"best_discriminator": 4}, "mean"),
    ("D* at the end of the game", "best_discriminator", "p / (p + p_g)", "0.5 + 0 * p", {"best_discriminator": 4}, "at the end"),
    ("images averaged in the value", "game_value", ".sum()", ".mean()", {"game_value": 4}, "sum over"),
    ("log base 2 in the value", "game_value", ".sum()", ".sum() / math.log(2)", {"game_value": 4}, "log2"),
    ("sign of the value", "game_value", "return (", "return -(", {"game_value": 4}, "sign"),
    ("D and 1 - D swapped", "game_value", "torch.xlogy(p, d) + torch.xlogy(p_g, 1 - d)",
     "torch.xlogy(p_g, d) + torch.xlogy(p, 1 - d)", {"game_value": 6}, "swapped"),
    ("log D twice", "game_value", "torch.xlogy(p_g, 1 - d)", "torch.xlogy(p_g, d)", {"game_value": 6}, "log(1 − D)"),
    ("0 log 0 is nan", "game_value", "torch.xlogy(p, d) + torch.xlogy(p_g, 1 - d)", "p * d.log() + p_g * (1 - d).log()",
     {"game_value": 2}, "nan"),
    ("a mixture that sums to 2", "js", "(p + p_g) / 2", "p + p_g", {"js": 4}, "mixture"),
    ("JS without its half", "js", "both.sum() / 2", "both.sum()", {"js": 4}, "½"),
    ("log base 2 in JS", "js", "both.sum() / 2", "both.sum() / 2 / math.log(2)", {"js": 4}, "log2"),
    ("swapped arguments of the divergences", "js", "torch.xlogy(p, p / m) + torch.xlogy(p_g, p_g / m)",
     "torch.xlogy(m, m / p) + torch.xlogy(m, m / p_g)", {"js": 6}, "swapped"),
    ("each against the other", "js", "torch.xlogy(p, p / m) + torch.xlogy(p_g, p_g / m)",
     "torch.xlogy(p, p / p_g) + torch.xlogy(p_g, p_g / p)", {"js": 6}, "not with the other"),
    ("one of the two divergences", "js", " + torch.xlogy(p_g, p_g / m)", "", {"js": 4}, "second"),
    ("0 log 0 in JS", "js", "torch.xlogy(p, p / m) + torch.xlogy(p_g, p_g / m)",
     "p * (p / m).log() + p_g * (p_g / m).log()", {"js": 2}, "nan"),
    ("no tanh", "Generator", ", nn.Tanh()", "", {"Generator": 3}, "tanh"),
    ("a sigmoid for tanh", "Generator", "nn.Tanh()", "nn.Sigmoid()", {"Generator": 3}, "sigmoid"),
    ("no batch norm", "Generator", "nn.BatchNorm1d(h2), ", "", {"Generator": 2}, "batch norm"),
    ("batch norm behind the leaky ReLU", "Generator", "nn.BatchNorm1d(h2), nn.LeakyReLU(0.2)",
     "nn.LeakyReLU(0.2), nn.BatchNorm1d(h2)", {"Generator": 3}, "order"),
    ("batch norm on both layers", "Generator", "nn.Linear(z_dim, h1)", "nn.Linear(z_dim, h1), nn.BatchNorm1d(h1)",
     {"Generator": 3}, "shape (5,)"),
    ("the default slope", "Generator", "nn.BatchNorm1d(h2), nn.LeakyReLU(0.2)", "nn.BatchNorm1d(h2), nn.LeakyReLU()",
     {"Generator": 3}, "layers"),
    ("plain ReLUs in the generator", "Generator",
     "nn.LeakyReLU(0.2)\n        second = nn.Linear(h1, h2), nn.BatchNorm1d(h2), nn.LeakyReLU(0.2)",
     "nn.ReLU()\n        second = nn.Linear(h1, h2), nn.BatchNorm1d(h2), nn.ReLU()", {"Generator": 3}, "plain ReLU"),
    ("a sigmoid behind the logits", "Discriminator", "nn.Linear(h2, 1)", "nn.Linear(h2, 1), nn.Sigmoid()", {"Discriminator": 2},
     "behind the last layer"),
    ("default slopes in the discriminator", "Discriminator",
     "nn.LeakyReLU(0.2)\n        second = nn.Linear(h1, h2), nn.LeakyReLU(0.2)",
     "nn.LeakyReLU()\n        second = nn.Linear(h1, h2), nn.LeakyReLU()", {"Discriminator": 2}, "0.01"),
    ("batch norm in the discriminator", "Discriminator", "nn.Linear(h1, h2)", "nn.Linear(h1, h2), nn.BatchNorm1d(h2)",
     {"Discriminator": 4}, "alone"),
    ("a flat vector of logits", "Discriminator", "self.net(x)", "self.net(x).squeeze(-1)", {"Discriminator": 4}, "shape"),
    ("slopes by D", "generator_slopes", "-torch.sigmoid(logit), -torch.sigmoid(-logit)",
     "-1 / (1 - torch.sigmoid(logit)), -1 / torch.sigmoid(logit)", {"generator_slopes": 6}, "slope by D"),
    ("sign of the remedy", "generator_slopes", ", -torch.sigmoid(-logit)", ", torch.sigmoid(-logit)", {"generator_slopes": 2},
     "sign"),
    ("swapped slopes", "generator_slopes", "-torch.sigmoid(logit), -torch.sigmoid(-logit)",
     "-torch.sigmoid(-logit), -torch.sigmoid(logit)", {"generator_slopes": 4}, "swapped"),
    ("exp of a large logit", "generator_slopes", "-torch.sigmoid(logit), ", "-logit.exp() / (1 + logit.exp()), ",
     {"generator_slopes": 2}, "exp(100)"),
    ("fakes not detached", "discriminator_loss", ".detach()", "", {"discriminator_loss": 2}, "detach"),
    ("fakes judged without gradient", "discriminator_loss", "discriminator(generator(z).detach())",
     "discriminator(generator(z)).detach()", {"discriminator_loss": 2}, "made images leave no gradient"),
    ("sign of the discriminator's loss", "discriminator_loss", "return -log_d.mean() - log_1_d.mean()",
     "return log_d.mean() + log_1_d.mean()", {"discriminator_loss": 3}, "sign"),
    ("the mean of the two terms", "discriminator_loss", "return -log_d.mean() - log_1_d.mean()",
     "return -(log_d.mean() + log_1_d.mean()) / 2", {"discriminator_loss": 3}, "added"),
    ("real and fake swapped", "discriminator_loss", "logsigmoid(real), nn.functional.logsigmoid(-fake)",
     "logsigmoid(-real), nn.functional.logsigmoid(fake)", {"discriminator_loss": 3}, "swapped"),
    ("log of a sigmoid", "discriminator_loss", "nn.functional.logsigmoid(real), nn.functional.logsigmoid(-fake)",
     "real.sigmoid().log(), (1 - fake.sigmoid()).log()", {"discriminator_loss": 2}, "infinite"),
    ("a logarithm cut off", "discriminator_loss", "nn.functional.logsigmoid(real), nn.functional.logsigmoid(-fake)",
     "(real.sigmoid() + 1e-8).log(), (1 - fake.sigmoid() + 1e-8).log()", {"discriminator_loss": 2}, "cut off"),
    ("the sigmoid twice", "discriminator_loss", "nn.functional.logsigmoid(real), nn.functional.logsigmoid(-fake)",
     "nn.functional.logsigmoid(real.sigmoid()), nn.functional.logsigmoid(-fake.sigmoid())", {"discriminator_loss": 5}, "twice"),
    ("all images pooled", "discriminator_loss", "return -log_d.mean() - log_1_d.mean()",
     "return -torch.cat([log_d, log_1_d]).mean()", {"discriminator_loss": 3}, "pooled"),
    ("sums over the images", "discriminator_loss", "return -log_d.mean() - log_1_d.mean()",
     "return -log_d.sum() - log_1_d.sum()", {"discriminator_loss": 3}, "not a sum"),
    ("sign of the generator's loss", "generator_loss", "return -nn", "return nn", {"generator_loss": 2}, "caught"),
    ("saturating for non-saturating", "generator_loss", "if saturating", "if not saturating", {"generator_loss": 4},
     "saturating loss"),
    ("never saturating", "generator_loss", "if saturating", "if False", {"generator_loss": 2}, "the other loss"),
    ("fakes detached for the generator", "generator_loss", "discriminator(generator(z))", "discriminator(generator(z).detach())",
     {"generator_loss": 2}, "detached"),
    ("log of a sigmoid for the generator", "generator_loss", "-nn.functional.logsigmoid(fake).mean()",
     "-fake.sigmoid().log().mean()", {"generator_loss": 2}, "infinite"),
    ("the sign of log(1 - D)", "generator_loss", "return nn.functional.logsigmoid(-fake)",
     "return -nn.functional.logsigmoid(-fake)",
     {"generator_loss": 2}, "as it stands"),
    ("D moves in G's step", "train", "torch.optim.Adam(generator.parameters()",
     "torch.optim.Adam([*generator.parameters(), *discriminator.parameters()]", {"train": 5}, "generator's step"),
    ("default betas", "train", ", betas=(beta, 0.999)", "", {"train": 3}, "0.9"),
    ("the generator's gradients stay in D", "train", "            adam_d.zero_grad()\n", "", {"train": 3}, "cleared"),
    ("D's gradients cleared too late", "train",
     "            adam_d.zero_grad()\n            loss_d.backward()\n            adam_d.step()",
     "            loss_d.backward()\n            adam_d.step()\n            adam_d.zero_grad()", {"train": 3}, "cleared"),
    ("the generator answers the old D", "train",
     "            adam_d.zero_grad()\n            loss_d.backward()\n            adam_d.step()\n"
     "            loss_g = of_generator(generator, discriminator, z)\n"
     "            adam_g.zero_grad()\n            loss_g.backward()\n",
     "            loss_g = of_generator(generator, discriminator, z)\n"
     "            adam_g.zero_grad()\n            loss_g.backward()\n"
     "            adam_d.zero_grad()\n            loss_d.backward()\n            adam_d.step()\n",
     {"train": 5}, "before its step"),
    ("batches averaged, not images", "train", "loss_d.item() * len(batch)", "loss_d.item() * batch_size", {"train": 3}, "weight"),
    ("an Adam for each epoch", "train", "        total_d = total_g = 0.0\n",
     "        total_d = total_g = 0.0\n"
     "        adam_g = torch.optim.Adam(generator.parameters(), **how)\n", {"train": 3}, "made once"),
    ("losses in the wrong order", "train", "(total_d / len(data), total_g / len(data))",
     "(total_g / len(data), total_d / len(data))",
     {"train": 3}, "first"),
    ("any class counts", "coverage", "shares >= 0.01", "shares > 0", {"coverage": 2}, "1 %"),
    ("more than 1 %", "coverage", "shares >= 0.01", "shares > 0.01", {"coverage": 1}, "one in a hundred"),
    ("classes that are missing", "coverage", "shares >= 0.01", "shares < 0.01", {"coverage": 2}, "missing"),
    ("the name of the largest class", "coverage", "shares.max().item()", "shares.argmax().item()", {"coverage": 2}, "name"),
    ("a number for a share", "coverage", " / len(found)\n    return int((shares >= 0.01)",
     "\n    return int((shares >= 0.01 * len(found))", {"coverage": 2}, "not their number"),
    ("pixels mixed", "interpolate", "generator((1 - t) * z0 + t * z1)", "(1 - t) * generator(z0) + t * generator(z1)",
     {"interpolate": 3}, "pixels"),
    ("ends missing", "interpolate", "steps + 2)[:, None]", "steps + 2)[1:-1, None]", {"interpolate": 5}, "ends are missing"),
    ("off by one", "interpolate", "1, steps + 2", "1, steps + 1", {"interpolate": 5}, "too few"),
    ("an end doubled", "interpolate", "t = torch.linspace(0, 1, steps + 2)[:, None]",
     "t = torch.cat([torch.zeros(1), torch.linspace(0, 1, steps), torch.ones(1)])[:, None]", {"interpolate": 3}, "twice"),
    ("backwards", "interpolate", "(1 - t) * z0 + t * z1", "t * z0 + (1 - t) * z1", {"interpolate": 2}, "backwards"),
]  # fmt: skip
TABLE = Table("A2", MISTAKES, {})  # each task's checks look at that task alone

RIGHT = [
    ("by the odds", "best_discriminator", "p / (p + p_g)", "torch.sigmoid(p.log() - p_g.log())"),
    ("numpy, with a mask", "game_value", "return (torch.xlogy(p, d) + torch.xlogy(p_g, 1 - d)).sum()",
     "import numpy as np\n"
     "    p, p_g, d = (np.asarray(v, dtype=float) for v in (p, p_g, d))\n"
     "    return (p[p > 0] * np.log(d[p > 0])).sum() + (p_g[p_g > 0] * np.log(1 - d[p_g > 0])).sum()"),
    ("scipy", "js", "m = (p + p_g) / 2", "from scipy.spatial.distance import jensenshannon\n"
     "    return float(jensenshannon(p, p_g) ** 2)\n    m = None"),
    ("a cross-entropy", "discriminator_loss", "return -log_d.mean() - log_1_d.mean()",
     "cost = nn.functional.binary_cross_entropy_with_logits\n"
     "    return cost(real, torch.ones_like(real)) + cost(fake, torch.zeros_like(fake))"),
    ("made under no_grad", "discriminator_loss", "real, fake = discriminator(x), discriminator(generator(z).detach())",
     "with torch.no_grad():\n        made = generator(z)\n    real, fake = discriminator(x), discriminator(made)"),
    ("softplus", "generator_loss", "return -nn.functional.logsigmoid(fake).mean()",
     "return nn.functional.softplus(-fake).mean()"),
    ("autograd", "generator_slopes", "return -torch.sigmoid(logit), -torch.sigmoid(-logit)",
     "found = []\n"
     "    for loss in (lambda a: -nn.functional.softplus(a), lambda a: nn.functional.softplus(-a)):\n"
     "        a = logit.detach().clone().requires_grad_()\n"
     "        found += torch.autograd.grad(loss(a).sum(), a)\n"
     "    return found"),
    ("no bias before batch norm, which takes it away", "Generator", "nn.Linear(h1, h2), nn", "nn.Linear(h1, h2, bias=False), nn"),
    ("layers as attributes, in another order", "Discriminator", "self.net = nn.Sequential(*first, *second, nn.Linear(h2, 1))",
     "self.last, self.second, self.first = nn.Linear(h2, 1), second[0], first[0]\n"
     "        bend = lambda a: torch.maximum(a, 0.2 * a)\n"
     "        self.net = lambda x: self.last(bend(self.second(bend(self.first(x)))))"),
    ("both cleared first, tensors for a history", "train", "            adam_d.zero_grad()\n",
     "            adam_d.zero_grad(), adam_g.zero_grad()\n"),
    ("a tensor of losses", "train", "    return history", "    return torch.tensor(history)"),
    ("counting by hand", "coverage", "return int((shares >= 0.01).sum()), shares.max().item()",
     "from collections import Counter\n"
     "    shares = [n / len(found) for n in Counter(found.tolist()).values()]\n"
     "    return sum(s >= 0.01 for s in shares), max(shares)"),
    ("one image at a time", "interpolate",
     "t = torch.linspace(0, 1, steps + 2)[:, None]\n    return generator((1 - t) * z0 + t * z1)",
     "ways = [z0 + k / (steps + 1) * (z1 - z0) for k in range(steps + 2)]\n"
     "    return torch.cat([generator(z[None]) for z in ways])"),
]  # fmt: skip


class TestA2(Suite):
    table, right = TABLE, [row[1:] for row in RIGHT]
