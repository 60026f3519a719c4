"""The peer of `benchmarks.wae_step`: pythae's WAE_MMD, timed on request.

Reads lines `{"case": "dense" or "convolutions", "rows": ..., "steps": ...}` and answers
`{"wall": ..., "cpu": ...}`, seconds per step.
"""

import json
import sys
import time

import torch
from pythae.models import WAE_MMD, WAE_MMD_Config
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_AE_MNIST

SCALES = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]


def build(case):
    """A WAE_MMD with 8 latent entries and its optimizer."""
    config = WAE_MMD_Config(
        input_dim=(1, 28, 28),
        latent_dim=8,
        kernel_choice="imq",
        scales=SCALES,
        reg_weight=10.0,
        reconstruction_loss_scale=0.05,
    )
    networks = []  # its default, dense layers
    if case == "convolutions":
        networks = [Encoder_Conv_AE_MNIST(config), Decoder_Conv_AE_MNIST(config)]
    model = WAE_MMD(config, *networks).train()
    return model, torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.999))


def step(model, optimizer, x):
    """One training step as in pythae's trainer."""
    optimizer.zero_grad()
    model({"data": x}).loss.backward()
    optimizer.step()


def main():
    """Answers requests until the input ends."""
    built = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["case"] not in built:
            built[request["case"]] = build(request["case"])
        model, optimizer = built[request["case"]]
        x = torch.rand(request["rows"], 1, 28, 28)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(request["steps"]):
            step(model, optimizer, x)
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps({kind: value / request["steps"] for kind, value in seconds.items()}), flush=True)


if __name__ == "__main__":
    main()
