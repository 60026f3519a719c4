"""The tables of the book: which runs, and what the papers print (docs/references.bib)."""

from trainers.reproduction import experiments
from trainers.reproduction.tables import Column, Row, Table

PARZEN = Column("Parzen, 10 000 samples, nats", ("parzen", "mean"))
MANY_PARZEN = Column("Parzen, 550 000 samples, nats", ("parzen, *", "mean"))
KID = Column("KID", ("kid", "mean"), 4, higher=False)
FID = Column("FID", ("fid", "mean"), 2, higher=False)
INCEPTION = Column("Inception score", ("inception_score", "mean"), 2)
RECONSTRUCTION = Column("reconstruction, squared error", ("reconstruction", "mean"), 2, higher=False)
LATENT = Column("MMD^2 of codes to the prior", ("latent_mmd2", "mean"), 4, higher=False)
PRIOR_DRAWS = Column("log p, prior draws, nats", ("log_likelihood, * prior draws", "mean"), 2)
IMPORTANCE = Column("log p, importance draws, nats", ("log_likelihood, * posterior draws", "mean"), 2)
ERRORS = Column("errors of 10 000", ("test errors",), 1, higher=False)
CLASSES = Column("classes present", ("mode coverage", "classes present"), 1)
ENTROPY = Column("class entropy, nats", ("mode coverage", "entropy"), 3)

TFD = "toronto_face_dataset"

KDE = Table(
    "kde",
    "Kernel density score",
    (PARZEN, MANY_PARZEN),
    (
        Row(
            "GMMN, published setting",
            "gmmn",
            None,
            ("paper", {}),
            {"mnist": "147 +- 2", TFD: "2085 +- 25"},
            {"mnist": 147},
        ),
        Row("GMMN, our setting", "gmmn", ("quick", {}), ("best", {}), {"mnist": "147 +- 2"}, {"mnist": 172}),
        Row(
            "GMMN+AE",
            "gmmn-ae",
            ("quick", {}),
            ("best", {}),
            {"mnist": "282 +- 2", TFD: "2204 +- 20"},
            {"mnist": 296},
        ),
        Row(
            "VAE",
            "vae",
            ("quick", {}),
            None,
            {"mnist": "296.77 (GAE slides); 290 to 325", TFD: "2572.59; 2149 to 2180"},
            {"mnist": 297},
        ),
        Row(
            "GAN, published setting",
            "gan",
            None,
            ("paper", {}),
            {"mnist": "225 +- 2", TFD: "2057 +- 26"},
            {"mnist": 225},
        ),
        Row("GAN, our setting", "gan", ("quick", {}), ("best", {}), {"mnist": "225 +- 2"}, {"mnist": 225}),
        Row(
            "AAE",
            "aae",
            ("quick", {}),
            ("best", {}),
            {"mnist": "340 +- 2", TFD: "2252 +- 16"},
            {"mnist": 340},
        ),
        Row(
            "GAE, 1 layer",
            "gae",
            ("grey-1", {}),
            None,
            {"mnist": "456.71", TFD: "2815.76"},
            {"mnist": 325},
        ),
        Row(
            "GAE, 2 layers",
            "gae",
            ("grey-2", {}),
            None,
            {"mnist": "460.73", TFD: "2796.91"},
            {"mnist": 345},
        ),
    ),
    ("mnist", TFD),
    ("parzen", "many_samples_parzen"),
)


def _layers(name, system, published, targets):
    return tuple(
        Row(
            f"{name}, {n} layer{'s' if n > 1 else ''}",
            system,
            (f"binary-{n}", {}),
            None,
            {"mnist": str(value)},
            {"mnist": target} if target else {},
        )
        for n, (value, target) in enumerate(zip(published, targets), start=1)
    )


LIKELIHOOD = Table(
    "likelihood",
    "Log-likelihood of binary MNIST",
    (PRIOR_DRAWS, IMPORTANCE),
    (
        *_layers("VAE", "vae", (-107.18, -96.94, -97.62, -102.97), (None,) * 4),
        *_layers("GAE", "gae", (-97.66, -96.91, -95.76, -94.66), (-97.66, -91.5, None, None)),
    ),
    ("mnist",),
    ("log_likelihood",),
)


CRITICS = {  # ours: what 2 cores can do with a critic of 64 filters
    "batch_size": 32,
    "critic_stages": 3,
    "critic_steps": 2,
    "generator_ema": 0.99,
    "kid_schedule": True,
    "kid_every": 50,
    "steps": 1_000,
}
RATES = {16: 4e-3, 64: 1e-3}  # ours: of 1e-3, 2e-3 and 4e-3 the best for WGAN-GP with so many filters


def _short_run(filters, **settings):
    return "quick", {**CRITICS, "critic_filters": filters, "learning_rate": RATES[filters], **settings}


def _critics(label, system, published="", quick=(16,)):
    return tuple(
        Row(
            f"{label}, critic of {n} filters",
            system,
            _short_run(n) if n in quick else None,
            ("paper", {"critic_filters": n}),
            {"cifar10": published},
        )
        for n in (16, 64)
    )


DCGAN = {"network": "dcgan", "latent_bound": 1.0}

MMD_GAN = Table(
    "mmd-gan",
    "Kernel critics, by critic width",
    (KID, FID, INCEPTION),
    (
        *_critics("MMD GAN", "mmd-gan", "KID 0.027, FID 39.90, IS 6.51"),
        *_critics("WGAN-GP", "wgan-gp", "KID 0.026, FID 37.52, IS 6.53", quick=(16, 64)),
        *_critics("Cramer GAN", "cramer-gan", "KID 0.028, FID 40.27, IS 6.39"),
        Row(
            "GAN, DCGAN networks",
            "gan",
            _short_run(16, **DCGAN),
            (
                "paper",
                {**DCGAN, "optimizer": "adam", "learning_rate": 2e-4, "batch_size": 64, "kid_schedule": True},
            ),
        ),
    ),
    ("mnist", "cifar10", "celeb_a", "lsun/bedroom"),
    ("kid", "fid", "inception_score"),
    experiments.step_costs,
)

SAME_NETWORKS = {  # as WAE-MMD's quick preset
    "network": "wae-small",
    "hidden": [256, 256, 256],
    "latent_size": 8,
    "learning_rate": 1e-3,
    "batch_size": 100,
    "steps": 16_500,
}

WAE = Table(
    "wae",
    "Wasserstein auto-encoders beside the VAE",
    (FID, KID, RECONSTRUCTION, LATENT),
    (
        Row(
            "VAE, same networks, Bernoulli",
            "vae",
            ("quick", {**SAME_NETWORKS, "likelihood": "bernoulli"}),
            None,
            {"celeb_a": "FID 63"},
        ),
        Row("VAE, same networks, Gaussian", "vae", ("quick", SAME_NETWORKS)),
        Row("WAE-MMD", "wae-mmd", ("quick", {}), ("paper", {}), {"celeb_a": "FID 55"}),
        Row("WAE-GAN", "wae-gan", ("quick", {}), ("paper", {}), {"celeb_a": "FID 42"}),
    ),
    ("mnist", "celeb_a"),
    ("fid", "kid", "reconstruction", "latent_mmd2"),
)


def _labels(
    dataset, per_class, published, target=None, quick=True, preset="paper", varies="seed", **settings
):
    settings = {"labels_per_class": per_class, **settings}
    schedule = {"paper": "", "best": ", our schedule", "quick": ", narrow networks"}[preset]
    kind = ", ensemble" if "label_seed" in settings else ", one start" if varies == "label_seed" else ""
    return Row(
        f"{10 * per_class} labels{schedule}{kind}",
        "semi-supervised",
        ("quick", settings) if quick else None,
        (preset, settings),
        {dataset: published},
        {dataset: target} if target else {},
        ensemble="label_seed" in settings,
        varies=varies,
        datasets=(dataset,),
    )


SEMI_SUPERVISED = Table(
    "semi-supervised",
    "Semi-supervised classification",
    (ERRORS,),
    (
        _labels("mnist", 2, "1677 +- 452", quick=False),
        _labels("mnist", 5, "221 +- 136", quick=False),
        _labels("mnist", 10, "93 +- 6.5", 100),
        _labels("mnist", 10, "93 +- 6.5", 100, quick=False, preset="best"),
        _labels("mnist", 10, "93 +- 6.5", 100, quick=False, preset="best", varies="label_seed"),
        _labels("mnist", 20, "90 +- 4.2", 96, quick=False, preset="best"),
        _labels("mnist", 10, "86 +- 5.6 (10 models)", 93, quick=False, preset="best", label_seed=0),
        _labels("mnist", 10, "86 +- 5.6 (10 models)", 93, quick=False, preset="quick", label_seed=0),
        _labels("cifar10", 100, "2183 +- 201"),
        _labels("cifar10", 400, "1863 +- 232"),
        _labels("svhn_cropped", 100, "8.11 % +- 1.3"),
    ),
    ("mnist", "cifar10", "svhn_cropped"),
    ("test_errors",),
)

SHORT = {"batch_size": 50, "learning_rate": 5e-4, "steps": 4_000}  # ours: of the quick table


def _switched(label, switches, published="", quick=False):
    return Row(
        label,
        "improved-gan",
        ("quick", {**SHORT, **switches}) if quick else None,
        ("paper", switches),
        {"cifar10": published},
    )


ALL = {"historical_weight": 0.01}

ABLATION = Table(
    "ablation",
    "Improved GAN, technique by technique",
    (INCEPTION, CLASSES, ENTROPY),
    (
        _switched("all", ALL, "6.86 +- .06", quick=True),
        _switched("without historical averaging", {}, "4.36 +- .04", quick=True),
        _switched(
            "without label smoothing", {**ALL, "real_target": 1.0}, "6.83 +- .06 (with labels, no averaging)"
        ),
        _switched(
            "without minibatch discrimination",
            {**ALL, "minibatch_discrimination": False},
            "3.87 +- .03 (with labels, no averaging)",
            quick=True,
        ),
        _switched("with feature matching", {**ALL, "feature_layer": "features"}),
        _switched("none of them", {"real_target": 1.0, "minibatch_discrimination": False}, quick=True),
    ),
    ("mnist", "cifar10"),
    ("inception_score", "mode_coverage"),
)

BIAS = Table("bias", "What is biased and what is not", experiment=experiments.bias, datasets=("synthetic",))
SPEED = Table("speed", "Speed beside peers", experiment=experiments.speed, datasets=("synthetic",))

TABLES = {t.name: t for t in (KDE, LIKELIHOOD, MMD_GAN, WAE, SEMI_SUPERVISED, ABLATION, BIAS, SPEED)}
