"""The command line: `python -m export`, also installed as `tfmmd-export`."""

import argparse
import json
import logging
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

OK, FAILED, BAD_INPUT = 0, 1, 2


def parser():
    """The argument parser of all commands."""
    top = argparse.ArgumentParser("export", description="Write, check, serve and sample models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_save(commands)
    _add_verify(commands)
    _add_serve(commands)
    _add_sample(commands)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="result as JSON on stdout")
    return top


def _add_save(commands):
    save = commands.add_parser("save", help="write a run's model as the next version for TensorFlow Serving")
    save.add_argument("run_dir", metavar="RUN_DIR", help="run folder with model.keras and config.json")
    save.add_argument("--to", required=True, metavar="MODELS_DIR", help="folder of all models")
    save.add_argument("--name", help="name to serve under; default the run folder's name")


def _add_verify(commands):
    verify = commands.add_parser("verify", help="check a version, from disk or on a running server")
    verify.add_argument(
        "model_dir", metavar="MODEL_DIR", help="MODELS_DIR/NAME (newest) or MODELS_DIR/NAME/VERSION"
    )
    verify.add_argument("--run", metavar="RUN_DIR", help="compare with this run's Keras model")
    verify.add_argument(
        "--url", help="check a running server too: host:port for gRPC, http://host:port for REST"
    )


def _add_serve(commands):
    serve = commands.add_parser(
        "serve", help="start TensorFlow Serving where it is installed, else the stand-in for local use"
    )
    serve.add_argument("models_dir", metavar="MODELS_DIR", help="folder of all models")
    serve.add_argument("--grpc-port", type=int, default=8500)
    serve.add_argument("--rest-port", type=int, default=8501)
    serve.add_argument("--host", default="127.0.0.1", help="address of the stand-in; default loopback")
    serve.add_argument("--stand-in", action="store_true", help="never start TensorFlow Serving")


def _add_sample(commands):
    sample = commands.add_parser("sample", help="fetch samples by seed from a running server")
    sample.add_argument("name", metavar="NAME", help="served name")
    sample.add_argument(
        "--seeds", type=int, nargs="+", required=True, metavar="SEED", help="int64, one a sample"
    )
    sample.add_argument("--out", required=True, help="picture (.png), array (.npy) or table (.csv) to write")
    sample.add_argument("--grpc", metavar="HOST:PORT", help="gRPC address; default 127.0.0.1:8500")
    sample.add_argument("--rest", metavar="URL", help="REST address, used instead of gRPC")
    sample.add_argument("--label", help="version label, such as stable")
    sample.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="for a server that starts; default 30"
    )


def main(argv=None):
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 bad input."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from export.errors import ServingError

    try:
        return COMMANDS[options.command](options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except ServingError as error:
        print(f"failed: {error.code}: {error}", file=sys.stderr)
        return FAILED
    except (OSError, RuntimeError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return FAILED


def _print(options, text, result):
    print(json.dumps(result) if options.json else text)


def _save(options):
    from export import saved_model

    path = saved_model.save(options.run_dir, options.to, options.name)
    result = {"path": str(path), "name": path.parent.name, "version": int(path.name)}
    _print(options, f"version {path.name} of {path.parent.name}: {path}", result)
    return OK


def _verify(options):
    from export import verify

    report = verify.verify(options.model_dir, run_dir=options.run, url=options.url)
    _print(options, verify.text(report), verify.as_json(report))
    return OK if report.passed else FAILED


def _serve(options):
    from export import launch

    return launch.serve(
        options.models_dir,
        host=options.host,
        grpc_port=options.grpc_port,
        rest_port=options.rest_port,
        stand_in=options.stand_in,
        as_json=options.json,
    )


def _sample(options):
    from export import client, pictures

    pictures.check_path(options.out)
    address = {"rest": options.rest} if options.rest else {"grpc": options.grpc or "127.0.0.1:8500"}
    with client.Client(**address, name=options.name, label=options.label) as server:
        samples = _when_up(lambda: server.sample(options.seeds), options.wait)
    pictures.write(options.out, samples)
    result = {"out": options.out, "shape": list(samples.shape), "seeds": options.seeds}
    _print(options, f"{len(samples)} samples of {options.name}: {options.out}", result)
    return OK


def _when_up(call, seconds):
    """What `call` returns, called again for some seconds while no server answers: one may be loading its models."""
    from export.errors import ServingError

    end, told = time.monotonic() + seconds, False
    while True:
        try:
            return call()
        except ServingError as error:
            if error.code != "UNAVAILABLE" or not time.monotonic() < end:
                raise
        if not told:
            print(
                f"no server yet: waiting up to {seconds:g} s (`export serve MODELS_DIR` starts one)",
                file=sys.stderr,
            )
        told = True
        time.sleep(0.5)


COMMANDS = {"save": _save, "verify": _verify, "serve": _serve, "sample": _sample}

if __name__ == "__main__":
    sys.exit(main())
