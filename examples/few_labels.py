"""A classifier of digits from ten to a hundred labels: what the unlabelled images are worth.

The same critic network is trained twice for each number of labels: on the labelled digits alone, and as the critic of
a semi-supervised GAN that also sees all training digits without their labels.

    python -m examples.few_labels
"""

import keras
import numpy as np

import tfmmd
from examples import common

PER_CLASS = (1, 2, 5, 10)
HIDDEN = (250, 250, 125)
SHAPE = (8, 8, 1)


def optimizer(steps):
    return tfmmd.optimizers.FusedAdam(tfmmd.optimizers.LinearTail(3e-3, steps, 0.5), beta_1=0.5)


def critic(seed):
    return tfmmd.networks.improved_gan_mnist_critic(SHAPE, num_outputs=10, hidden=HIDDEN, seed=seed)


def supervised(x, y, steps, seed):
    """The critic network alone, trained on the labelled rows."""
    model = critic(seed)
    tfmmd.layers.initialize(model, x)
    model.compile(optimizer(steps), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=len(x), epochs=steps, verbose=0)
    return model


def semi_supervised(x, y, unlabelled, steps, seed):
    """The same network as the critic of a GAN that matches its features."""
    generator = tfmmd.networks.improved_gan_mnist_generator(50, SHAPE, hidden=(125, 125))
    prior = tfmmd.priors.Uniform(50, 0.0, 1.0)
    model = tfmmd.models.SemiSupervisedGAN(generator, critic(seed), prior, average_decay=0.99, seed=seed)
    model.compile(optimizer(steps), optimizer(steps))
    model.initialize(unlabelled[:500])
    model.fit(x, y, batch_size=50, unlabelled=unlabelled, steps_per_epoch=steps, verbose=0)
    return model


def accuracy(model, images, labels):
    return float(np.mean(np.argmax(model.predict(images, verbose=0), 1) == labels))


def main():
    options = common.options(__doc__.splitlines()[0])
    keras.utils.set_random_seed(options.seed)
    x, y = tfmmd.data.arrays("digits", with_labels=True)
    test = tfmmd.data.arrays("digits", "test", with_labels=True)
    counts, steps = (PER_CLASS[:1], (3, 3)) if options.quick else (PER_CLASS, (500, 1500))
    scores = {"labels alone": [], "and unlabelled digits": []}
    for per_class in counts:
        rows = tfmmd.data.balanced_labels(y, per_class, options.seed)
        models = (
            supervised(x[rows], y[rows], steps[0], options.seed),
            semi_supervised(x[rows], y[rows], x, steps[1], options.seed),
        )
        for name, model in zip(scores, models):
            scores[name].append(accuracy(model, *test))
        print(f"{10 * per_class:3d} labels: " + ", ".join(f"{k} {v[-1]:.3f}" for k, v in scores.items()))
    figure, axes = common.new_figure(1, 2)
    draw(axes[0][0], 10 * np.array(counts), scores)
    axes[0][1].imshow(
        tfmmd.callbacks.watch.tile(models[1].sample(64, seed=1), columns=8)[..., 0], cmap="gray"
    )
    axes[0][1].set_title(f"samples, {10 * counts[-1]} labels", fontsize=9)
    axes[0][1].set_axis_off()
    common.save(figure, options.out, "few_labels.png")


def draw(panel, labels, scores):
    """Accuracy against the numbers of labels."""
    for name, values in scores.items():
        panel.plot(labels, values, "o-", label=name)
    panel.set(xscale="log", xticks=labels, xticklabels=labels, xlabel="labels", ylabel="accuracy")
    panel.minorticks_off()
    panel.legend(fontsize=7)


if __name__ == "__main__":
    main()
