"""Numbers that WAE-MMD and WAE-GAN share: tolstikhin/wae configs.py unless marked "ours"."""

SETTINGS = {
    "network": "wae-conv",
    "hidden": (256, 256, 256),  # wae-small
    "encoder_filters": (128, 256, 512, 1024),
    "decoder_filters": (1024, 512, 256),
    "kernel_size": 4,
    "latent_size": 8,
    "prior": "normal",
    "prior_scale": 1.0,
    "posterior": "deterministic",  # the paper's; the code also adds noise of 0.01 to the images ("noisy")
    "cost": "squared",
    "latent_weight": 10.0,
    "encoder_updates": 200,  # of the encoder on the moments of its codes, before training
    "encoder_batch_size": 1000,
    "batch_size": 100,
    "optimizer": "adam",
    "beta_1": 0.5,
    "learning_rate": 1e-3,
    "schedule": "stepwise",
    "rate_switches": (0.3, 0.5),  # after epochs 30 and 50 of 100
    "rate_factors": (0.5, 0.2),
    "final_rate": 0.01,
    "steps": 55_000,  # 100 epochs of MNIST without its validation rows
}

CELEB_A = {
    "encoder_batch_size": 256,
    "value_range": (-1.0, 1.0),
    "kernel_size": 5,
    "decoder_filters": (1024, 512, 256, 128),
    "latent_size": 64,
    "prior_scale": 2.0**0.5,  # the paper's variance 2; the code says 1
    "schedule": "exponential",
    "steps": 81_350,  # 50 epochs
}

# for digits and CPUs; the layers of `mnist_small` of configs.py
SMALL = {"network": "wae-small", "latent_size": 4}

QUICK = {**SMALL, "latent_size": 8, "schedule": "cosine", "steps": 16_500}  # ours

DIGITS = {"steps": 3_000, "hidden": (128, 128), "num_samples": 1297}  # ours
