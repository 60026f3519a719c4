"""The base of metrics whose state is sums: two of them merge by adding up."""

import keras


class SummedMetric(keras.metrics.Metric):
    """A metric whose variables are all sums over the rows seen."""

    def merge_state(self, metrics):
        """Adds the state of other metrics of this kind, say of other workers."""
        for metric in metrics:
            for own, other in zip(self.variables, metric.variables):
                own.assign_add(other)
