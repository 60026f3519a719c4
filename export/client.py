"""A small client of the sample endpoints, for TensorFlow Serving and the stand-in alike.

client = Client(grpc="127.0.0.1:8500", name="gmmn")        # or rest="http://127.0.0.1:8501"
client.sample([1, 2, 3])                                   # float32 [3, ...], a row per seed
client.decode(latent), client.encode(x), client.reconstruct(x), client.interpolate(start, end, weight)
"""

import re

import numpy as np

from export.errors import ServingError
from export.session import DEFAULT
from export.transports import Grpc, Rest
from tfmmd import checks

# what the stand-in and TensorFlow Serving say
_ROW_LIMIT = re.compile(r"at most (\d+) rows|maximum (?:input )?batch size (\d+)")


class Client:
    """Calls the signatures of served models.

    Args:
        grpc: Address `host:port`, or None.
        rest: Address `http://host:port` or `host:port`, or None.
        name: Model that the methods ask when no `name` is passed.
        version: Version number, or None for the newest.
        label: Version label such as `"stable"`, instead of a version.
        timeout: Seconds that a call may take.
        max_rows: Rows of one request; larger inputs are sent in parts. It falls to what the server takes.

    With both addresses the methods use gRPC unless called with `transport="rest"`.
    """

    def __init__(
        self, grpc=None, rest=None, *, name=None, version=None, label=None, timeout=30.0, max_rows=64
    ):
        if grpc is None and rest is None:
            checks.fail("A client needs an address.", "grpc=None, rest=None", "Pass grpc='host:port'.")
        if version is not None and label is not None:
            checks.fail(
                "A version is chosen once.", f"version={version}, label={label!r}", "Pass one of them."
            )
        self.name, self.max_rows = name, checks.positive_int("max_rows", max_rows)
        self._transports: dict[str, Grpc | Rest] = {"grpc": Grpc(grpc, timeout)} if grpc else {}
        self._transports |= {"rest": Rest(rest, timeout)} if rest else {}
        self._version, self._label = version, label

    def sample(self, seeds, *, name=None, transport=None):
        """Samples by seed.

        Args:
            seeds: int64 `[n]`, one seed per row.
            name: Model; None is the client's.
            transport: `"grpc"` or `"rest"`; None is gRPC where there is an address.

        Returns:
            float32 array `[n, ...]`, row i of `seeds[i]` alone.

        Raises:
            ValueError: If a seed is outside int64 or there is none.
            ServingError: If the server refuses or is not there.
        """
        seeds = [checks.int64("seeds", seed) for seed in seeds]
        checks.not_empty("seeds", seeds)
        return self.predict({"seed": np.array(seeds, np.int64)}, "sample", name=name, transport=transport)[
            "samples"
        ]

    def decode(self, latent, **options):
        """Codes `[n, k]` -> samples `[n, ...]`; options as in `sample`."""
        return self.predict({"latent": np.asarray(latent, np.float32)}, "decode", **options)["samples"]

    def encode(self, x, **options):
        """Data `[n, ...]` -> codes `[n, k]`, where the model has an encoder."""
        return self.predict({"x": np.asarray(x, np.float32)}, "encode", **options)["latent"]

    def reconstruct(self, x, **options):
        """Data `[n, ...]` -> reconstructions `[n, ...]`, where the model has an encoder."""
        return self.predict({"x": np.asarray(x, np.float32)}, "reconstruct", **options)["reconstruction"]

    def interpolate(self, start, end, weight, **options):
        """Pairs of data `[n, ...]` and shares `[n]` of `end` -> decoded points between their codes `[n, ...]`."""
        inputs = {"start": start, "end": end, "weight": weight}
        arrays = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
        return self.predict(arrays, "interpolate", **options)["samples"]

    def predict(self, inputs, signature=DEFAULT, *, name=None, transport=None):
        """Calls any signature.

        Args:
            inputs: Arrays `[n, ...]` by input name.
            signature: Name of the signature.
            name: Model; None is the client's.
            transport: `"grpc"`, `"rest"` or None.

        Returns:
            Arrays `[n, ...]` by output name.
        """
        wire, spec, max_rows = self._wire(transport), self._spec(name), self.max_rows
        try:
            return _in_parts(wire, spec, signature, inputs, max_rows)
        except ServingError as error:
            limit = _row_limit(error)
            if not limit or limit >= max_rows:
                raise
            self.max_rows = limit
        return _in_parts(wire, spec, signature, inputs, limit)

    def signatures(self, *, name=None, transport=None):
        """Signature name -> (input names, output names)."""
        return self._wire(transport).signatures(self._spec(name))

    def status(self, *, name=None, transport=None):
        """Version number -> (state, error message)."""
        return self._wire(transport).status(self._spec(name))

    def close(self):
        """Closes the connection."""
        for transport in self._transports.values():
            transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _wire(self, transport):
        transport = transport or next(iter(self._transports))
        return self._transports[checks.one_of("transport", transport, self._transports)]

    def _spec(self, name):
        name = name or self.name
        if not name:
            checks.fail("A call needs a model.", "name=None", "Pass name='...', here or to Client.")
        return name, self._version, self._label


def _in_parts(wire, spec, signature, inputs, max_rows):
    rows = max(len(value) for value in inputs.values())
    parts = [
        wire.predict(spec, signature, {k: v[start : start + max_rows] for k, v in inputs.items()})
        for start in range(0, max(rows, 1), max_rows)
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _row_limit(error):
    """The rows that a server takes at most, where its refusal names them, else None."""
    found = _ROW_LIMIT.search(error.message or "")
    return int(found[1] or found[2]) if found else None
