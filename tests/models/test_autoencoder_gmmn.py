"""GMMN+AE: pretraining, the frozen auto-encoder, the code generator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.systems import SHAPE, digits
from tfmmd import discrepancies, kernels, models, networks, priors, seeds
from tfmmd.models import pretraining

SIZE = 6


def stack(hidden=(24,)):
    return (
        networks.gmmn_encoder(SHAPE, SIZE, hidden=hidden),
        networks.gmmn_decoder(SIZE, SHAPE, hidden=hidden[::-1]),
    )


def make(**settings):
    keras.utils.set_random_seed(0)
    generator = networks.gmmn_generator(4, SIZE, hidden=(16, 16))
    kernel = settings.pop("kernel", kernels.Gaussian([0.02, 0.05, 0.1, 1.0]))
    model = models.GMMNAutoencoder(
        models.Autoencoder(*stack()), generator, priors.Uniform(4), kernel, **settings
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    return model


def weights(*networks_):
    return [w for network in networks_ for w in network.get_weights()]


def unchanged(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after))


def test_samples_are_exactly_the_decoded_generated_codes():
    model = make()
    rows = seeds.row_seeds(5, seed=3)
    codes = model.generate(model.prior.rows(rows))
    np.testing.assert_allclose(model.sample(5, seed=3), model.decode(codes), atol=1e-6)  # graph, eager


@pytest.mark.parametrize("space", ["code", "data"])
def test_training_leaves_the_autoencoder_and_moves_the_generator(space):
    model = make(space=space, **({"kernel": kernels.Gaussian([2.0])} if space == "data" else {}))
    frozen = weights(model.autoencoder.encoder, model.autoencoder.decoder)
    free = weights(model.generator)
    model.fit(digits(32), verbose=0)
    assert unchanged(frozen, weights(model.autoencoder.encoder, model.autoencoder.decoder))
    assert not unchanged(free, weights(model.generator))


def test_the_loss_in_code_space_is_the_mmd_of_codes():
    model, x = make(), tf.constant(digits(32))
    fake = model.generator(model.draw_latent(32, 7))
    expected = discrepancies.mmd(fake, model.encode(x), model.kernel)
    np.testing.assert_allclose(model.train_costs(x, 7, False)["loss"], expected, rtol=1e-5)


def test_the_loss_in_data_space_is_the_mmd_of_decoded_samples():
    model, x = make(space="data", kernel=kernels.Gaussian([3.0])), tf.constant(digits(32))
    fake = tf.reshape(model.decode(model.generator(model.draw_latent(32, 7))), [32, -1])
    expected = discrepancies.mmd(fake, tf.reshape(x, [32, -1]), model.kernel)
    np.testing.assert_allclose(model.train_costs(x, 7, False)["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        lambda: stack(),
        lambda: models.Autoencoder(*stack()),
        lambda: models.WAEMMD(*stack(), priors.Normal(SIZE)),
    ],
    ids=["pair", "Autoencoder", "WAEMMD"],
)
def test_an_autoencoder_comes_in_several_forms(given):
    model = models.GMMNAutoencoder(given(), networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4))
    assert model.encode(digits(3)).shape == (3, SIZE)


@pytest.mark.parametrize("hidden", [(24,), (32, 16)])
def test_pretraining_trains_every_layer_and_freezes_again(hidden):
    autoencoder = models.Autoencoder(*stack(hidden))
    model = models.GMMNAutoencoder(
        autoencoder, networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4)
    )
    before = weights(autoencoder.encoder, autoencoder.decoder)
    losses = model.pretrain(digits(64), num_updates=5, batch_size=16, dropout=0.1)
    assert list(losses) == [f"layer {i + 1}" for i in range(len(hidden) + 1)] + ["fine-tuning"]
    after = weights(autoencoder.encoder, autoencoder.decoder)
    assert not any(np.array_equal(a, b) for a, b in zip(before, after))
    assert not autoencoder.trainable and model.trainable_variables == model.generator.trainable_variables


def test_pretraining_gives_better_reconstructions():
    model, x = make(), digits(256)
    before = np.mean((model.reconstruct(x) - x) ** 2)
    model.pretrain(x, num_updates=100, fine_tuning_updates=200, batch_size=32, dropout=(0.1, 0.1))
    assert np.mean((model.reconstruct(x) - x) ** 2) < 0.7 * before


def test_training_as_a_whole_gives_better_reconstructions_and_freezes_again():
    model, x = make(), digits(256)
    before = np.mean((model.reconstruct(x) - x) ** 2)
    model.pretrain_whole(x, num_updates=200, batch_size=32)
    assert np.mean((model.reconstruct(x) - x) ** 2) < 0.9 * before
    assert not model.autoencoder.trainable


WAYS = {
    "by phases": lambda model: model.pretrain(digits(64), num_updates=3, batch_size=16, layerwise=False),
    "as a whole": lambda model: model.pretrain_whole(digits(64), num_updates=3, batch_size=16),
}


@pytest.mark.parametrize("way", WAYS)
def test_pretraining_is_a_function_of_the_seed(way):
    results = []
    for _ in range(2):
        model = make(seed=5)
        WAYS[way](model)
        results.append(weights(model.autoencoder.encoder))
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_greedy_phase_moves_its_own_pair_of_layers_alone():
    autoencoder = models.Autoencoder(*stack())
    encoder, decoder = autoencoder.encoder.layers[-2:], autoencoder.decoder.layers[1:3]
    phase = pretraining.LayerPhase(decoder[0], 1, autoencoder, encoder, [0.0, 0.0], seed=0)
    phase.compile(keras.optimizers.SGD(0.1))
    before = [layer.get_weights() for layer in (*encoder, *decoder)]
    phase.train_on_batch(digits(16))
    after = [layer.get_weights() for layer in (*encoder, *decoder)]
    assert [unchanged(a, b) for a, b in zip(before, after)] == [True, False, False, True]


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = tf.ones([2000, 50])
    dropped = pretraining.dropped(x, 0.2, seeds.pair(0, 1, "dropout_0")).numpy()
    np.testing.assert_allclose(np.mean(dropped == 0.0), 0.2, atol=0.01)
    np.testing.assert_allclose(dropped[dropped > 0], 1.25)


def test_batches_pass_over_all_rows_in_an_order_of_the_seed():
    x = np.arange(20, dtype=np.float32)[:, None]
    rows = [
        np.concatenate(list(pretraining.shuffled_batches(x, 5, 8, seed).as_numpy_iterator()))
        for seed in (1, 1, 2)
    ]
    assert sorted(rows[0][:20, 0]) == sorted(rows[0][20:, 0]) == list(range(20))
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


def test_no_tuning_thread_holds_up_the_end_of_training():
    batches = pretraining.shuffled_batches(np.zeros([4, 3], np.float32), 2, steps=3, seed=0)
    assert batches.options().autotune.enabled is False


def test_convolutions_are_refused_by_layerwise_pretraining():
    nets = (
        networks.wae_encoder((28, 28, 1), SIZE, filters=(4, 4)),
        networks.wae_decoder(SIZE, filters=(4, 4, 4)),
    )
    model = models.GMMNAutoencoder(nets, networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4))
    with pytest.raises(ValueError, match="stack of Dense layers"):
        model.pretrain(np.zeros((8, 28, 28, 1), np.float32))


def test_a_decoder_that_does_not_mirror_the_encoder_is_refused():
    nets = networks.gmmn_encoder(SHAPE, SIZE, hidden=(24,)), networks.gmmn_decoder(SIZE, SHAPE, hidden=(25,))
    model = models.GMMNAutoencoder(nets, networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4))
    with pytest.raises(ValueError, match="mirrors the encoder"):
        model.pretrain(digits(8))


@pytest.mark.parametrize("dropout", [(0.1,), (0.1, 1.0), 1.5])
def test_a_dropout_that_does_not_fit_the_layers_is_refused(dropout):
    with pytest.raises(ValueError, match=r"one rate in \[0, 1\)"):
        make().pretrain(digits(8), dropout=dropout)


def test_a_generator_of_another_code_size_is_refused():
    with pytest.raises(ValueError, match="auto-encoder's size"):
        models.GMMNAutoencoder(stack(), networks.gmmn_generator(4, SIZE + 1, hidden=(8,)), priors.Uniform(4))


def test_codes_that_the_generator_cannot_reach_are_refused():
    linear = models.Autoencoder(networks.vae_encoder(SHAPE, SIZE // 2, hidden=(24,)), stack()[1])
    linear.encoder.layers[-1].bias.assign([3.0] * SIZE)
    model = models.GMMNAutoencoder(linear, networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4))
    model.compile()
    with pytest.raises(ValueError, match=r"`codes` must lie in \[0.0, 1.0\]"):
        model.fit(digits(32), verbose=0)


def test_a_bandwidth_that_cannot_tell_codes_apart_warns_with_numbers():
    with pytest.warns(UserWarning, match="pairs flat.*too near"):
        make(kernel=kernels.Gaussian([100.0])).fit(digits(32), verbose=0)


def test_something_without_encoder_is_refused():
    with pytest.raises(ValueError, match="an encoder and a decoder"):
        models.GMMNAutoencoder(stack()[0], networks.gmmn_generator(4, SIZE, hidden=(8,)), priors.Uniform(4))


def test_an_uncompiled_autoencoder_and_a_compiled_one_both_survive_saving(tmp_path):
    for name, optimizer in (("bare", None), ("compiled", "adam")):
        model = make()
        if optimizer:
            model.autoencoder.compile(optimizer)
        model.save(tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_array_equal(loaded.sample(3, seed=1), model.sample(3, seed=1))
        assert not loaded.autoencoder.trainable
