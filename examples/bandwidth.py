"""Which bandwidth suits the digits: the package's reports on three kernels, and its plot.

python -m examples.bandwidth
"""

import tfmmd
from examples import common


def main():
    options = common.options(__doc__.splitlines()[0])
    x = tfmmd.data.arrays("digits")
    rows = x.reshape(len(x), -1)
    middle = tfmmd.kernels.median_bandwidth(rows)
    mixture = tfmmd.kernels.Gaussian(tfmmd.kernels.geometric_bandwidths(middle, 5))
    choices = {
        f"median / 20 = {middle / 20:.3g}": tfmmd.kernels.Gaussian([middle / 20]),
        f"median = {middle:.3g}": tfmmd.kernels.Gaussian([middle]),
        f"median * 20 = {middle * 20:.3g}": tfmmd.kernels.Gaussian([middle * 20]),
        "five around the median": mixture,
    }
    for name, kernel in choices.items():
        print(f"{name:<24} {tfmmd.kernels.saturation(kernel, rows)}")
    figure, axes = common.new_figure(1, 1, (6.5, 3.6))
    tfmmd.kernels.plot_bandwidths(list(choices.values()), rows, axes=axes[0][0])
    for line, name in zip(axes[0][0].get_lines(), choices):
        line.set_label(name)
    axes[0][0].legend(fontsize=7)
    common.save(figure, options.out, "bandwidth.png")


if __name__ == "__main__":
    main()
