"""A classifier of digits that keeps working on shifted, noisy digits it has no labels for.

Two copies of one network are trained on labelled digits. The second also pulls the features of shifted digits
towards those of the labelled ones, by an MMD penalty on the features: no label of a shifted digit is used.

    python -m examples.domain_adaptation
"""

import keras
import numpy as np

import tfmmd
from examples import common

WEIGHT = 5.0


def shifted(images, seed):
    """The images two pixels to the right and down, darker, with noise: `[n, 12, 12, 1]`."""
    noise = np.random.default_rng(seed).normal(0.0, 0.15, (len(images), 12, 12, 1))
    return np.clip(0.7 * np.pad(images, [(0, 0), (3, 1), (3, 1), (0, 0)]) + noise, 0, 1).astype("float32")


def centred(images):
    """The images in the middle of a frame: `[n, 12, 12, 1]`."""
    return np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])


def build(kernel, weight):
    """A model of (labelled images, unlabelled images) and its classifier, which share their layers."""
    features = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="tanh"),
        ]
    )
    head = keras.layers.Dense(10)
    source, target = keras.Input((12, 12, 1)), keras.Input((12, 12, 1))
    source_features, _ = tfmmd.layers.MMDRegularizer(kernel, weight)([features(source), features(target)])
    model = keras.Model([source, target], head(source_features))
    classifier = keras.Model(source, head(features(source)))
    return model, classifier, keras.Model(source, features(source))


def train(weight, data, epochs, seed):
    """The classifier and the feature network, trained with a penalty of this weight."""
    keras.utils.set_random_seed(seed)
    kernel = tfmmd.kernels.Gaussian(
        tfmmd.kernels.geometric_bandwidths(8.0, 5)
    )  # 64 tanh features: distances of about 8
    model, classifier, features = build(kernel, weight)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(data["inputs"], data["labels"], batch_size=128, epochs=epochs, verbose=0)
    return classifier, features


def accuracy(classifier, images, labels):
    return float(np.mean(np.argmax(classifier.predict(images, verbose=0), 1) == labels))


def main():
    options = common.options(__doc__.splitlines()[0])
    x, y = tfmmd.data.arrays("digits", with_labels=True)
    test_x, test_y = tfmmd.data.arrays("digits", "test", with_labels=True)
    unlabelled = shifted(x[np.random.default_rng(options.seed).permutation(len(x))], seed=1)
    data = {"inputs": [centred(x), unlabelled], "labels": y}
    figure, axes = common.new_figure(1, 3)
    for panel, weight in zip(axes[0][1:], (0.0, WEIGHT)):
        classifier, features = train(weight, data, 1 if options.quick else 40, options.seed)
        on_source = accuracy(classifier, centred(test_x), test_y)
        on_target = accuracy(classifier, shifted(test_x, seed=2), test_y)
        print(f"MMD weight {weight:g}: accuracy {on_source:.3f} on digits, {on_target:.3f} on shifted digits")
        draw(panel, features, test_x, f"MMD weight {weight:g}: {on_target:.1%} on shifted")
    pairs = np.concatenate([centred(test_x)[:4], shifted(test_x, seed=2)[:4]])
    axes[0][0].imshow(tfmmd.callbacks.watch.tile(pairs, columns=4)[..., 0], cmap="gray")
    axes[0][0].set_title("digits, and shifted digits", fontsize=9)
    axes[0][0].set_axis_off()
    common.save(figure, options.out, "domain_adaptation.png")


def draw(panel, features, images, title):
    """Both samples' features in the plane of their principal components."""
    both = [features.predict(x, verbose=0) for x in (centred(images), shifted(images, seed=2))]
    points = tfmmd.callbacks.pictures.plane(np.concatenate(both))
    for part, name in zip(np.split(points, 2), ("digits", "shifted")):
        panel.scatter(*part.T, s=4, label=name)
    panel.set_title(title, fontsize=9)
    panel.legend(fontsize=7)


if __name__ == "__main__":
    main()
