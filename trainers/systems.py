"""The systems that the command line knows; a recipe's module is imported when it is asked for."""

import importlib
import importlib.util

from tfmmd import checks

SYSTEMS = {
    "gmmn": "gmmn",
    "gmmn-ae": "gmmn_ae",
    "vae": "vae",
    "aae": "aae",
    "wae-mmd": "wae_mmd",
    "wae-gan": "wae_gan",
    "gae": "gae",
    "gan": "gan",
    "wgan-gp": "wgan_gp",
    "cramer-gan": "cramer_gan",
    "mmd-gan": "mmd_gan",
    "improved-gan": "improved_gan",
    "semi-supervised": "semi_supervised",
}


def names():
    """Names of the systems that have a recipe."""
    return [name for name, module in SYSTEMS.items() if importlib.util.find_spec(f"trainers.{module}")]


def recipe(system):
    """The `Recipe` of a system.

    Raises:
        ValueError: If the name is unknown; the message names the nearest ones.
    """
    checks.one_of("SYSTEM", system, names())
    return importlib.import_module(f"trainers.{SYSTEMS[system]}").RECIPE
