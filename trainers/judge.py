"""The visual Turing test: a person tells generated from real images on a local web page.

`python -m trainers judge RUN_DIR` serves one page on 127.0.0.1. Answers are saved in the run folder one by one;
the same command goes on where the last one stopped.
"""

import dataclasses
import io
import json
import secrets
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import stats

from tfmmd import checks
from tfmmd.metrics.feature_cache import file_hash
from trainers import runner
from trainers.run_folder import RunFolder, read_json, write_json

PAGE = Path(__file__).with_name("judge.html")
ANSWERS = ("real", "generated")
LOCAL = ("127.0.0.1", "localhost")
FIRST_SEED = 30_000_000  # of generated images: far from those of pictures and evaluation


@dataclasses.dataclass(frozen=True)
class Trial:
    """One image of the test.

    Attributes:
        image: uint8 array `[h, w, c]`.
        kind: "real" or "generated".
        label: The image's class where it is known, else None.
    """

    image: np.ndarray
    kind: str
    label: int | None


def make_trials(model, run_data, num_images, seed):
    """As many real test images as samples, in random order, a function of the seed.

    A classifying model labels its samples itself; other systems' samples have no label.
    """
    half = checks.positive_int("num_images", num_images) // 2
    if half < 1 or num_images % 2:
        checks.fail("`num_images` must be even: half of them real.", f"num_images={num_images}", "Use 100.")
    if len(run_data.sample_shape) != 3:
        checks.fail(
            "Only images can be judged.",
            f"samples of shape {run_data.sample_shape}",
            "Choose a run of images.",
        )
    real, labels = _real_rows(run_data)
    order = np.random.default_rng(seed)
    chosen = order.choice(len(real), min(half, len(real)), replace=False)
    fake = np.asarray(model.sample(len(chosen), seed=FIRST_SEED + seed * num_images))
    guesses = (
        model.predict(fake, verbose=0).argmax(1) if hasattr(model, "num_classes") else [None] * len(fake)
    )
    trials = [
        Trial(_bytes(real[i], run_data), "real", None if labels is None else int(labels[i])) for i in chosen
    ]
    trials += [
        Trial(_bytes(image, run_data), "generated", None if label is None else int(label))
        for image, label in zip(fake, guesses)
    ]
    return [trials[i] for i in order.permutation(len(trials))]


def _real_rows(run_data):
    try:
        return run_data.load("test", with_labels=True)
    except ValueError:  # a dataset without labels
        return run_data.test, None


def _bytes(image, run_data):
    low, high = run_data.settings.value_range
    return np.round(np.clip((image - low) / (high - low), 0.0, 1.0) * 255).astype(np.uint8)


def identify(folder, config):
    """Which model is judged: one that was trained again is another."""
    names = {name: config[name] for name in ("system", "dataset")}
    return {**names, "model": file_hash(folder.model)}


class Session:
    """The answers to a list of trials, kept in a file.

    Args:
        trials: List of `Trial`.
        path: The file; answers that are in it already are kept.
        identity: JSON mapping that says which test this is; a file of another test is refused.
    """

    def __init__(self, trials, path, identity):
        self.trials, self.path, self.identity = trials, Path(path), identity
        self.answers, self.lock, self.finished = [], threading.Lock(), threading.Event()
        if self.path.exists():
            self._continue()

    def _continue(self):
        saved = read_json(self.path)
        if saved.get("test") != self.identity:
            checks.fail(
                "Answers are never overwritten.",
                f"{self.path}, of another test: {saved.get('test')}",
                "Use another --seed.",
            )
        self.answers = [row["answer"] for row in saved["answers"]]

    @property
    def position(self):
        """Number of answered trials."""
        return len(self.answers)

    def answer(self, index, answer):
        """Takes the answer to trial `index`, which must be the next one; False where it is not."""
        with self.lock:
            if index != self.position or answer not in ANSWERS or index >= len(self.trials):
                return False
            self.answers.append(answer)
            self.save()
            return True

    def save(self):
        """Writes answers and scores by one rename."""
        rows = [
            {"kind": trial.kind, "label": trial.label, "answer": answer}
            for trial, answer in zip(self.trials, self.answers)
        ]
        write_json(self.path, {"test": self.identity, "scores": scores(rows), "answers": rows})

    def scores(self):
        """The scores so far."""
        return scores(
            [
                {"kind": trial.kind, "label": trial.label, "answer": answer}
                for trial, answer in zip(self.trials, self.answers)
            ]
        )


def scores(rows):
    """Error rates of answers, in total, per kind and per class.

    Args:
        rows: Mappings with "kind", "answer" and "label".

    Returns:
        Dict of groups: `total`, `kinds`, `labels`; see `error_rate`.
    """
    labels = sorted({row["label"] for row in rows if row["label"] is not None})
    return {
        "total": error_rate(rows),
        "kinds": {kind: error_rate([row for row in rows if row["kind"] == kind]) for kind in ANSWERS},
        "labels": {
            str(label): error_rate([row for row in rows if row["label"] == label]) for label in labels
        },
    }


def error_rate(rows):
    """Errors among answers with their exact 95 % binomial interval and the p-value of guessing (rate 1/2)."""
    errors = sum(row["answer"] != row["kind"] for row in rows)
    if not rows:
        return {"answers": 0, "errors": 0, "error rate": None, "interval": None, "p-value of chance": None}
    test = stats.binomtest(errors, len(rows), 0.5)
    low, high = test.proportion_ci(0.95, method="exact")
    return {
        "answers": len(rows),
        "errors": errors,
        "error rate": errors / len(rows),
        "interval": [float(low), float(high)],
        "p-value of chance": float(test.pvalue),
    }


def png(image):
    """The bytes of a PNG of a uint8 image `[h, w, c]`, `c` 1 or 3."""
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, "PNG")
    return stream.getvalue()


def application(session):
    """The WSGI application of a session: the page, one image at a time, answers.

    The page learns nothing of an image before it is answered. Requests must name a loopback host, and answers
    carry the page's own token, so that no other site can read or answer.
    """
    from werkzeug.wrappers import Request, Response

    token = secrets.token_urlsafe(16)
    page = PAGE.read_text().replace("{{token}}", token)

    def state():
        done = session.position >= len(session.trials)
        shown = {"scores": session.scores()} if done else {}
        return {"position": session.position, "total": len(session.trials), **shown}

    def respond(request):
        host = request.host.rsplit(":", 1)[0]
        if host not in LOCAL:
            return Response("This page is served to this machine alone.", 403)
        if request.method == "GET" and request.path == "/":
            return Response(page, mimetype="text/html", headers={"Cache-Control": "no-store"})
        if request.method == "GET" and request.path == "/state":
            return _json(Response, state())
        if request.method == "GET" and request.path == "/image" and session.position < len(session.trials):
            headers = {"Cache-Control": "no-store"}
            return Response(
                png(session.trials[session.position].image), mimetype="image/png", headers=headers
            )
        if request.method == "POST" and request.path == "/answer":
            return answer(request)
        return Response("Not found.", 404)

    def answer(request):
        data = request.get_json(silent=True)
        if request.headers.get("X-Token") != token or not isinstance(data, dict):
            return Response("Answers come from the page.", 403)
        taken = session.answer(data.get("position"), data.get("answer"))
        response = _json(Response, {**state(), "taken": taken})
        if session.position >= len(session.trials):
            session.finished.set()
        return response

    return Request.application(respond)


def _json(response, value):
    return response(json.dumps(value), mimetype="application/json", headers={"Cache-Control": "no-store"})


def run(run_dir, num_images=100, *, port=0, seed=0, on_start=None):
    """Serves the test until every image is answered or the person stops it with Ctrl-C.

    Args:
        run_dir: Folder of a finished run.
        num_images: Images shown, half of them real.
        port: Port on 127.0.0.1; 0 takes a free one.
        seed: Which images, in which order; each seed is a test of its own, kept in `judge-<seed>.json`.
        on_start: Function of the page's address; None prints it.

    Returns:
        The scores, see `scores`.
    """
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """Logs no requests: they would bury the page's address."""

        def log_request(self, code="-", size="-"):
            pass

    seed = checks.int64("seed", seed)
    checks.non_negative("seed", seed)
    if not 0 <= port < 2**16:
        checks.fail("`port` must lie in 0..65535.", f"port={port}", "Use 0 for a free one.")
    model, config, run_data = runner.load(run_dir)
    trials = make_trials(model, run_data, num_images, seed)
    folder = RunFolder(run_dir)
    identity = {**identify(folder, config), "num_images": len(trials), "seed": seed}
    session = Session(trials, folder.path / f"judge-{seed}.json", identity)
    server = make_server("127.0.0.1", port, application(session), threaded=True, request_handler=Quiet)
    (on_start or _announce)(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        while session.position < len(trials) and not session.finished.wait(0.2):
            pass
        time.sleep(1.0)  # the reply to the last answer is on its way
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
    server.shutdown()
    return session.scores()


def _announce(address):
    print(f"open {address} in a browser; Ctrl-C stops, answers are kept", file=sys.stderr, flush=True)


def report(result):
    """The scores as lines for people."""
    groups = {"all": result["total"], **result["kinds"]}
    groups |= {f"class {label}": group for label, group in result["labels"].items()}
    return "\n".join(_line(name, group) for name, group in groups.items() if group["answers"])


def _line(name, group):
    low, high = group["interval"]
    return (
        f"{name:>10}: {group['errors']} errors of {group['answers']}, rate {group['error rate']:.3f} "
        f"[{low:.3f}, {high:.3f}], p-value of chance {group['p-value of chance']:.3g}"
    )
