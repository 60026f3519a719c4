"""Which rows make two samples differ: anomaly scores from the witness of the MMD.

witness(z) = mean_i k(z, normal_i) - mean_j k(z, incoming_j)

The witness is low where the incoming sample has more mass than the normal one. Here the normal sample is all digits
but one, and a tenth of the incoming sample is that digit: nothing is trained, and no label is used.

    python -m examples.anomaly
"""

import numpy as np
from sklearn.metrics import roc_auc_score

import tfmmd
from examples import common

STRANGE = 4


def samples(seed, share=0.1):
    """Normal rows `[n, 64]`, incoming rows `[m, 64]`, and which of them are strange."""
    x, y = tfmmd.data.arrays("digits", "train+validation+test", with_labels=True)
    order = np.random.default_rng(seed).permutation(len(x))
    flat, y = x.reshape(len(x), -1)[order], y[order]
    usual, strange = flat[y != STRANGE], flat[y == STRANGE]
    half = len(usual) // 2
    strange = strange[: int(share * half)]
    incoming = np.concatenate([usual[half:], strange])
    return usual[:half], incoming, np.arange(len(incoming)) >= len(incoming) - len(strange)


def scores(normal, incoming, kernel):
    """The negative witness at the incoming rows `[m]`: high means strange."""
    own = np.array(kernel(incoming, incoming), np.float64)
    np.fill_diagonal(own, 0.0)  # a row says nothing about itself
    return own.sum(1) / (len(incoming) - 1) - np.mean(kernel(incoming, normal), axis=1)


def main():
    options = common.options(__doc__.splitlines()[0])
    normal, incoming, strange = samples(options.seed)
    kernel = tfmmd.kernels.Gaussian([tfmmd.kernels.median_bandwidth(normal) / 2])
    permutations = 50 if options.quick else 1000
    result = tfmmd.discrepancies.permutation_test(
        normal, incoming, kernel, num_permutations=permutations, seed=0
    )
    print(f"do the samples differ? {result}")
    found = scores(normal, incoming, kernel)
    print(
        f"area under the ROC curve of the scores: {roc_auc_score(strange, found):.3f} ({strange.sum()} strange rows)"
    )
    figure, axes = common.new_figure(1, 2, (4.0, 3.0))
    edges = np.histogram_bin_edges(found, 40)
    for mask, name in ((~strange, "usual digits"), (strange, f"the digit {STRANGE}")):
        axes[0][0].hist(found[mask], edges, density=True, alpha=0.6, label=name)
    axes[0][0].set_title("minus the witness", fontsize=9)
    axes[0][0].legend(fontsize=7)
    top = incoming[np.argsort(found)[::-1][:40]].reshape(-1, 8, 8, 1)
    axes[0][1].imshow(tfmmd.callbacks.watch.tile(top, columns=8)[..., 0], cmap="gray")
    axes[0][1].set_title("the 40 rows of highest score", fontsize=9)
    axes[0][1].set_axis_off()
    common.save(figure, options.out, "anomaly.png")


if __name__ == "__main__":
    main()
