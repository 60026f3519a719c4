"""The peer of `benchmarks.train_step`: MMD GAN written plainly in PyTorch, timed on request.

Reads lines `{"critic_filters": ..., "steps": ...}` and answers `{"wall": ..., "cpu": ...}`, seconds per step.
"""

import json
import sys
import time

import torch
from torch import nn

LATENT, ROWS, CRITIC_STEPS, SIZES = 100, 64, 5, (2, 4, 7, 14, 28)
ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Generator(nn.Module):
    """100 -> 28 x 28, as `tfmmd.networks.dcgan_generator`."""

    def __init__(self, filters=64):
        super().__init__()
        self.top = 8 * filters
        self.dense = nn.Linear(LATENT, 4 * self.top)
        layers = [nn.BatchNorm2d(self.top, momentum=0.1), nn.ReLU()]
        channels = [self.top, 4 * filters, 2 * filters, filters, 1]
        for before, after, small, large in zip(channels, channels[1:], SIZES, SIZES[1:]):
            hidden = after != 1
            layers.append(
                nn.ConvTranspose2d(
                    before, after, 5, 2, 2, output_padding=large - 2 * small + 1, bias=not hidden
                )
            )
            layers += [nn.BatchNorm2d(after, momentum=0.1), nn.ReLU()] if hidden else [nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent):
        return self.layers(self.dense(latent).view(-1, self.top, 2, 2))


class Critic(nn.Module):
    """28 x 28 -> 16 features and the activations, as `tfmmd.networks.dcgan_critic`."""

    def __init__(self, filters):
        super().__init__()
        channels = [1, *(filters * 2**i for i in range(4))]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 5, 2, 2) for a, b in zip(channels, channels[1:]))
        self.dense = nn.Linear(4 * channels[-1], 16)

    def forward(self, x):
        activations = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            activations.append(x)
        x = self.dense(x.flatten(1))
        return x, [*activations, x]


def kernel(a, b):
    """Rational quadratic mixture plus the linear kernel."""
    products = a @ b.T
    d2 = ((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * products).clamp(min=0)
    return sum((-alpha * torch.log1p(d2 / (2 * alpha))).exp() for alpha in ALPHAS) + products


def mmd2(x, y):
    """The unbiased estimate for equal sizes."""
    n = len(x)
    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    return (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (n * (n - 1)) - 2 * xy.mean()


def penalty(critic, real, fake, real_out, fake_out):
    """The witness gradient penalty."""
    share = torch.rand(len(real), 1, 1, 1)
    points = (real + share * (fake - real)).requires_grad_()
    at = critic(points)[0]
    witness = kernel(at, real_out).mean(1) - kernel(at, fake_out).mean(1)
    (slope,) = torch.autograd.grad(witness.sum(), points, create_graph=True)
    return (((slope.flatten(1) ** 2).sum(1) + 1e-5).sqrt() - 1).square().mean()


def descend(optimizer, cost):
    """One Adam step with each gradient clipped to norm 1."""
    optimizer.zero_grad(set_to_none=True)
    cost.backward()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                nn.utils.clip_grad_norm_([parameter], 1.0)
    optimizer.step()


class Game:
    """Both players and their data."""

    def __init__(self, critic_filters):
        torch.manual_seed(0)
        self.generator, self.critic = Generator(), Critic(critic_filters)
        self.optimizers = [
            torch.optim.Adam(player.parameters(), 1e-4, (0.5, 0.9))
            for player in (self.generator, self.critic)
        ]
        self.data = torch.rand((CRITIC_STEPS + 1) * ROWS, 1, 28, 28)

    def step(self):
        """`CRITIC_STEPS` critic steps and one generator step."""
        *critic_parts, last = self.data.chunk(CRITIC_STEPS + 1)
        for real in critic_parts:
            with torch.no_grad():
                fake = self.generator(torch.rand(ROWS, LATENT) * 2 - 1)
            (real_out, of_real), (fake_out, of_fake) = self.critic(real), self.critic(fake)
            cost = -mmd2(real_out, fake_out) + penalty(self.critic, real, fake, real_out, fake_out)
            cost = cost + sum(t.square().mean() for t in [*of_real, *of_fake])
            descend(self.optimizers[1], cost)
        fake = self.generator(torch.rand(ROWS, LATENT) * 2 - 1)
        descend(self.optimizers[0], mmd2(self.critic(last)[0].detach(), self.critic(fake)[0]))


def main():
    """Answers requests until the input ends."""
    games = {}
    for line in sys.stdin:
        request = json.loads(line)
        filters = request["critic_filters"]
        if filters not in games:
            games[filters] = Game(filters)
            games[filters].step()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(request["steps"]):
            games[filters].step()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"wall": wall / request["steps"], "cpu": cpu / request["steps"]}), flush=True)


if __name__ == "__main__":
    main()
