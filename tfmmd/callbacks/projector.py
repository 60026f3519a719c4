"""Codes of data for TensorBoard's Projector tab."""

from pathlib import Path

import keras
import numpy as np

from tfmmd.callbacks.watch import write_png

CONFIG = "projector_config.pbtxt"
NAME = "codes"
LARGEST_SPRITE = 8192  # pixels a side that the tab can show


class Projector(keras.callbacks.Callback):
    """Writes the codes of data, with their labels and small pictures, for TensorBoard's Projector tab.

    They are written when training ends: `codes.tsv`, `codes_labels.tsv`, `codes_sprite.png` and
    `projector_config.pbtxt` in the TensorBoard folder.

    Args:
        x: Data `[n, ...]`; images `[n, h, w, c]` in `value_range` become the points' pictures.
        labels: int or str `[n]`, or None.
        log_dir: TensorBoard folder; None writes nothing.
        value_range: Range of the images, mapped to [0, 1].

    Example:
        `model.fit(x, callbacks=[tfmmd.callbacks.Projector(test, test_labels, "logs")])`
    """

    title = "projector"

    def __init__(self, x, labels=None, log_dir=None, value_range=(0, 1)):
        super().__init__()
        self.x, self.labels, self.value_range = np.asarray(x), labels, value_range
        self.write_to(log_dir)

    def write_to(self, log_dir, directory=None):
        """Sets the TensorBoard folder; the run folder gets nothing."""
        self.log_dir = Path(log_dir) if log_dir else None

    def on_train_end(self, logs=None):
        if self.log_dir is None:
            return
        self.log_dir.mkdir(parents=True, exist_ok=True)
        np.savetxt(self.log_dir / f"{NAME}.tsv", np.asarray(self.model.encode(self.x)), "%.6g", "\t")
        lines = ["embeddings {", f'  tensor_name: "{NAME}"', f'  tensor_path: "{NAME}.tsv"']
        if self.labels is not None:
            text = "".join(f"{label}\n" for label in self.labels)
            (self.log_dir / f"{NAME}_labels.tsv").write_text(text)
            lines.append(f'  metadata_path: "{NAME}_labels.tsv"')
        sprite = self.sprite()
        if sprite is not None:
            write_png(self.log_dir / f"{NAME}_sprite.png", sprite)
            height, width = self.x.shape[1:3]
            lines += ["  sprite {", f'    image_path: "{NAME}_sprite.png"']
            lines += [f"    single_image_dim: {side}" for side in (width, height)] + ["  }"]
        (self.log_dir / CONFIG).write_text("\n".join([*lines, "}", ""]))

    def sprite(self):
        """All images in one square picture, uint8 `[s * h, s * w, c]`; None where they are none or do not fit."""
        if self.x.ndim != 4:
            return None
        n, h, w, c = self.x.shape
        side = int(np.ceil(np.sqrt(n)))
        if side * max(h, w) > LARGEST_SPRITE:
            return None
        low, high = self.value_range
        unit = np.clip((self.x.astype(np.float32) - low) / (high - low), 0.0, 1.0)
        padded = np.concatenate([unit, np.zeros((side * side - n, h, w, c), np.float32)])
        grid = padded.reshape(side, side, h, w, c).swapaxes(1, 2)
        return np.round(grid.reshape(side * h, side * w, c) * 255).astype(np.uint8)
