"""New rows for a table: a GMMN that has learned the joint distribution of its columns.

The measurements of 569 tumours (scikit-learn's breast cancer table, ten of its columns and the diagnosis) are
learned column units and all; the picture compares every column, and a two-sample test asks whether sampled rows
can be told from held-out ones.

    python -m examples.tabular
"""

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import tfmmd
from examples import common

NUM_COLUMNS = 10


def load(seed):
    """Column names, training rows `[n, 11]` and held-out rows, the diagnosis last."""
    bunch = load_breast_cancer()
    rows = np.column_stack([bunch.data[:, :NUM_COLUMNS], bunch.target]).astype("float32")
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    return [*bunch.feature_names[:NUM_COLUMNS], "benign"], rows[:400], rows[400:]


def fit(train, epochs, seed):
    """A GMMN of the rows in their own units."""
    keras.utils.set_random_seed(seed)
    scaled = (train - train.mean(0)) / train.std(0)
    bandwidths = tfmmd.kernels.geometric_bandwidths(tfmmd.kernels.median_bandwidth(scaled) / 2, 5)
    model = tfmmd.models.GMMN(
        tfmmd.networks.table_generator(10, train),
        tfmmd.priors.Uniform(10),
        tfmmd.kernels.standardized(tfmmd.kernels.Gaussian(bandwidths), train),
        seed=seed,
    )
    steps = epochs * (len(train) // 200)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))
    model.fit(train, batch_size=200, epochs=epochs, verbose=0)
    return model


def diagnosis_score(train, test):
    """Accuracy on real rows of a random forest that has seen `train` alone."""
    forest = RandomForestClassifier(200, random_state=0).fit(train[:, :-1], train[:, -1] > 0.5)
    return forest.score(test[:, :-1], test[:, -1] > 0.5)


def main():
    options = common.options(__doc__.splitlines()[0])
    names, train, test = load(options.seed)
    model = fit(train, 5 if options.quick else 1500, options.seed)
    rows = model.sample(len(test), seed=1).numpy()
    result = tfmmd.discrepancies.permutation_test(test, rows, model.kernel, num_permutations=500, seed=0)
    print(f"held-out rows against sampled rows: {result}")
    sampled = model.sample(len(train), seed=5000).numpy()
    print(f"a random forest trained on real rows:    accuracy {diagnosis_score(train, test):.3f}")
    print(f"a random forest trained on sampled rows: accuracy {diagnosis_score(sampled, test):.3f}")
    figure, axes = common.new_figure(3, 4, (2.4, 1.8))
    for panel, i in zip(axes.ravel(), range(len(names))):
        edges = np.histogram_bin_edges(train[:, i], 25)
        for values, label in ((train[:, i], "data"), (sampled[:, i], "samples")):
            panel.hist(values, edges, density=True, alpha=0.6, label=label)
        panel.set_title(names[i], fontsize=8)
    for values, label in ((train, "data"), (sampled, "samples")):
        axes[2][3].scatter(values[:, 0], values[:, 5], s=3, label=label)
    axes[2][3].set_title(f"{names[0]} and {names[5]}", fontsize=8)
    axes[2][3].legend(fontsize=7)
    common.save(figure, options.out, "tabular.png")


if __name__ == "__main__":
    main()
