"""What a request does, the same over gRPC and REST."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from export import tensors
from export.errors import ServingError
from export.session import DEFAULT

SIGNATURES = "signature_def"


class Core:
    """Predict, metadata and status over a catalog of models.

    Args:
        catalog: `catalog.Catalog`.
        admission: `limits.Admission`.
        max_rows: Rows of a request at most.
    """

    def __init__(self, catalog, admission, max_rows):
        self._catalog, self._admission, self._max_rows = catalog, admission, max_rows

    def predict(self, spec, make_inputs, deadline, wanted=()):
        """Runs a signature.

        Args:
            spec: `ModelSpec` of the request.
            make_inputs: Function (`SignatureDef`, rows at most) -> checked arrays by input name.
            deadline: `limits.Deadline`.
            wanted: Names of the outputs to return; none for all.

        Returns:
            The version, the signature's name and the outputs, arrays by name.
        """
        key = spec.signature_name or DEFAULT
        with self._admission.place(deadline), self._use(spec) as version:
            signature = version.model.signature(key)
            unknown = sorted(set(wanted) - set(signature.outputs))
            if unknown:
                raise ServingError(
                    "INVALID_ARGUMENT", f"output tensor alias not found in signature: {unknown[0]}"
                )
            inputs = make_inputs(signature, self._max_rows)
            outputs = version.model.run(key, inputs, timeout=deadline.remaining())
        return version.number, key, {name: outputs[name] for name in wanted or outputs}

    def predict_protos(self, request, deadline):
        """`predict` for a `PredictRequest`."""
        return self.predict(
            request.model_spec,
            lambda signature, max_rows: tensors.of_protos(signature, request.inputs, max_rows),
            deadline,
            tuple(request.output_filter),
        )

    def metadata(self, spec):
        """The `GetModelMetadataResponse` of a model: its signatures."""
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._use(spec) as version:
            response.model_spec.name = spec.name
            response.model_spec.version.value = version.number
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for key, signature in version.model.signatures.items():
                signatures.signature_def[key].CopyFrom(signature)
        response.metadata[SIGNATURES].Pack(signatures)
        return response

    def status(self, spec):
        """The `GetModelStatusResponse` of a model, or of one version or label."""
        model, (number, label) = self._catalog.model(spec.name), _version(spec)
        number = model.version_of(label) if label else number
        states = {n: state for n, state in model.states().items() if number in (None, n)}
        if not states:
            raise ServingError("NOT_FOUND", f"Could not find version {number} of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for n, (state, error) in states.items():
            entry = response.model_version_status.add(version=n)
            entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(state)
            entry.status.SetInParent()  # OK is said too
            if error:
                entry.status.error_code, entry.status.error_message = error.number, error.message
        return response

    def _use(self, spec):
        return self._catalog.model(spec.name).use(*_version(spec))


def _version(spec):
    return (spec.version.value if spec.HasField("version") else None), spec.version_label
