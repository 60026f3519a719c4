"""The only door to `tf.distribute`.

A sample discrepancy is a statistic of the global batch. Every replica gathers all rows and computes the
same global cost (`gather` for samples, `mean` for per-example costs); Keras optimizers sum gradients over
replicas, so a global cost is divided by the number of replicas here (`share`) and nowhere else.
"""

import tensorflow as tf

from tfmmd import checks


def num_replicas():
    """Number of replicas in sync: 1 outside of a strategy."""
    context = tf.distribute.get_replica_context()
    if context is None:
        return tf.distribute.get_strategy().num_replicas_in_sync
    return context.num_replicas_in_sync


def is_replicated():
    """Whether this code runs as one of several replicas, inside of a strategy's `run`."""
    return _context() is not None


def replica_index():
    """int32 scalar: this replica's place in the global batch."""
    context = _context()
    if context is None:
        return tf.constant(0, tf.int32)
    return tf.cast(context.replica_id_in_sync_group, tf.int32)


def gather(x):
    """All replicas' rows of `x` `[b, ...]` -> `[global b, ...]`; differentiable, the identity on one replica."""
    context = _context()
    if context is None:
        return x
    own = tf.distribute.get_strategy().extended.worker_devices[0]
    with tf.device(x.device or own):  # a symbolic tensor of a one-device worker has no device
        x = tf.identity(x)
    return context.all_gather(x, axis=0)


def share(cost):
    """A gathered (global) cost -> this replica's share, so that the replicas' gradients sum to one."""
    return cost / tf.cast(num_replicas(), cost.dtype)


def mean(values):
    """The mean of per-example `values` `[b, ...]` over the global batch, the same scalar on every replica.

    Differentiable, and right when the replicas hold unequal numbers of rows.
    """
    per_row = tf.cast(tf.size(values) // tf.maximum(tf.shape(values)[0], 1), values.dtype)
    rows = tf.cast(global_rows(values), values.dtype)
    return total(tf.reduce_sum(values)) / (rows * per_row)


def global_rows(x):
    """int32 scalar: number of rows of `x` over all replicas."""
    rows = tf.shape(x)[0]
    context = _context()
    if context is None:
        return rows
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(rows, tf.int32))


def total(value):
    """The sum of `value` over replicas; differentiable."""
    context = _context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def clip_by_norm(gradients, norm):
    """Replicas' shares of gradients -> shares of the global gradients, each clipped to `norm`; None stays."""
    clipped = [None if g is None else tf.clip_by_norm(total(g), norm) for g in gradients]
    return [None if g is None else share(g) for g in clipped]


def unscaled(optimizer):
    """The optimizer inside of a `LossScaleOptimizer`, any other as it is."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def clip_as(optimizer, gradients):
    """Replicas' shares of gradients, clipped so that the optimizer's own clipping acts as on one device.

    Clipping a share is not a share of the clipped gradient: on several replicas the global gradient is clipped
    here, and the optimizer finds nothing left to do.

    Args:
        optimizer: A Keras optimizer, perhaps in a `LossScaleOptimizer`.
        gradients: This replica's shares, a list of tensors and None; of the scaled loss where it is scaled.

    Returns:
        The shares of the clipped gradients, None where it was; outside of several replicas `gradients`.
    """
    clip = _clipping(unscaled(optimizer))
    if clip is None or _context() is None:
        return gradients
    scale = optimizer.scale_loss(1.0)
    present = [i for i, gradient in enumerate(gradients) if gradient is not None]
    clipped = clip([total(tf.convert_to_tensor(gradients[i])) / scale for i in present])
    shares = dict(zip(present, (share(gradient * scale) for gradient in clipped)))
    return [shares.get(i) for i in range(len(gradients))]


def _clipping(optimizer):
    """The function of a list of gradients that an optimizer clips them by, or None."""
    if optimizer.clipnorm:
        return lambda gradients: [tf.clip_by_norm(g, optimizer.clipnorm) for g in gradients]
    if optimizer.global_clipnorm:
        return lambda gradients: tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
    if optimizer.clipvalue:
        return lambda gradients: [
            tf.clip_by_value(g, -optimizer.clipvalue, optimizer.clipvalue) for g in gradients
        ]
    return None


def read(variable):
    """The value of a (mirrored) variable as a NumPy array, outside of replicas."""
    value = getattr(variable, "value", variable)
    return tf.distribute.get_strategy().experimental_local_results(value)[0].numpy()


def own_rows(draw, rows):
    """This replica's rows of a draw that is made for the global batch.

    Args:
        draw: Function from a number of rows (int32 scalar) to noise `[rows, ...]`.
        rows: Number of rows of this replica, int32 scalar.

    Returns:
        Noise `[rows, ...]`: together the replicas hold the rows that one device would draw.
    """
    if _context() is None:
        return draw(rows)
    start, total_rows = _place(rows)
    return draw(total_rows)[start : start + rows]


def first_row(rows):
    """int32 scalar: where this replica's `rows` (int32 scalar) begin in the global batch."""
    if _context() is None:
        return tf.constant(0, tf.int32)
    return _place(rows)[0]


def _context():
    """The context of one of several replicas, or None: then the whole batch is here."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def _place(rows):
    """Where this replica's rows begin, and how many rows all replicas hold."""
    counts = gather(tf.reshape(rows, [1]))
    return tf.reduce_sum(counts[: replica_index()]), tf.reduce_sum(counts)


def reportable(result):
    """A metric's result `[]` in the shape that `fit` can reduce: `[1]` under several workers."""
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return tf.reshape(result, [1])
    return result


def check_compile_options(jit_compile, steps_per_execution):
    """Refuses options that TensorFlow cannot run under a strategy with several CPU devices."""
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return
    devices = strategy.extended.worker_devices
    if not any("CPU" in device for device in devices):
        return
    if jit_compile is True:
        checks.fail(
            "`jit_compile=True` cannot run on several CPU devices.",
            f"jit_compile=True with {len(devices)} CPU devices",
            "Leave jit_compile out.",
        )
    if steps_per_execution not in (None, 1):
        checks.fail(
            "`steps_per_execution` must be 1 on several CPU devices.",
            f"steps_per_execution={steps_per_execution!r} with {len(devices)} CPU devices",
            "Leave steps_per_execution out.",
        )
