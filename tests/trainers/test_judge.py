"""The visual Turing test: trials, scores, the page over HTTP and in a browser."""

import json
import re
import shutil
import subprocess
import threading
import time
import types
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest

from tests.systems import SYSTEMS, digits
from trainers import judge
from trainers.run_folder import RunFolder

LABELS = np.arange(20) % 10


class Data:
    """Stands for `RunData`: twenty real images."""

    sample_shape = (8, 8, 1)
    settings = types.SimpleNamespace(value_range=(0.0, 1.0))
    test = digits(20)

    def load(self, split, with_labels=False):
        return (self.test, LABELS) if with_labels else self.test


class Unlabelled(Data):
    """Stands for a dataset without labels."""

    def load(self, split, with_labels=False):
        raise ValueError("no labels")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return SYSTEMS["gmmn"].build()


@pytest.fixture
def session(model, tmp_path):
    return judge.Session(judge.make_trials(model, Data(), 8, seed=1), tmp_path / "judge-1.json", {"seed": 1})


@pytest.fixture
def address(session):
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, judge.application(session), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def get(address, path, **headers):
    request = urllib.request.Request(address + path, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def post(address, position, answer, token=None):
    token = token or re.search(r'token = "([^"]+)"', get(address, "/").decode()).group(1)
    body = json.dumps({"position": position, "answer": answer}).encode()
    headers = {"Content-Type": "application/json", "X-Token": token}
    request = urllib.request.Request(address + "/answer", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


# -- trials and scores ----------------------------------------------------------------------------------------


def test_half_of_the_trials_are_real(model):
    kinds = [trial.kind for trial in judge.make_trials(model, Data(), 12, seed=1)]
    assert kinds.count("real") == kinds.count("generated") == 6


def test_real_trials_are_test_images_with_their_labels(model):
    images = np.round(Data.test * 255).astype(np.uint8)
    for trial in judge.make_trials(model, Data(), 12, seed=1):
        if trial.kind == "real":
            found = [i for i, image in enumerate(images) if np.array_equal(image, trial.image)]
            assert len(found) == 1 and LABELS[found[0]] == trial.label


def test_trials_are_a_function_of_the_seed(model):
    first, again, other = (judge.make_trials(model, Data(), 12, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again))
    assert not all(np.array_equal(a.image, b.image) for a, b in zip(first, other))


def test_a_dataset_without_labels_is_judged_without_classes(model):
    assert all(trial.label is None for trial in judge.make_trials(model, Unlabelled(), 4, seed=1))


@pytest.mark.parametrize("number", [0, 7, -2])
def test_an_uneven_number_of_images_is_refused(model, number):
    with pytest.raises(ValueError, match="num_images"):
        judge.make_trials(model, Data(), number, seed=1)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_is_not_is_refused(tmp_path, port):
    with pytest.raises(ValueError, match=rf"0\.\.65535.*port={port}"):
        judge.run(tmp_path, port=port)


def test_error_rate_has_the_exact_binomial_interval():
    rows = [{"kind": "real", "answer": "generated" if i < 3 else "real", "label": None} for i in range(10)]
    rate = judge.error_rate(rows)
    assert (rate["errors"], rate["answers"], rate["error rate"]) == (3, 10, 0.3)
    np.testing.assert_allclose(rate["interval"], [0.0667395, 0.6524529], atol=1e-6)  # Clopper, Pearson
    np.testing.assert_allclose(rate["p-value of chance"], 2 * (1 + 10 + 45 + 120) / 1024, rtol=1e-9)


def test_scores_are_given_in_total_per_kind_and_per_class():
    rows = [
        {"kind": "real", "answer": "real", "label": 3},
        {"kind": "real", "answer": "generated", "label": 4},
        {"kind": "generated", "answer": "real", "label": None},
    ]
    result = judge.scores(rows)
    assert result["total"]["errors"] == 2
    assert {k: v["errors"] for k, v in result["kinds"].items()} == {"real": 1, "generated": 1}
    assert {k: v["errors"] for k, v in result["labels"].items()} == {"3": 0, "4": 1}


# -- a session ------------------------------------------------------------------------------------------------


def test_every_answer_is_saved_at_once(session):
    session.answer(0, "real")
    saved = json.loads(session.path.read_text())
    assert [row["answer"] for row in saved["answers"]] == ["real"]
    assert saved["scores"]["total"]["answers"] == 1


def test_a_session_goes_on_where_it_stopped(session):
    session.answer(0, "real")
    again = judge.Session(session.trials, session.path, session.identity)
    assert again.position == 1 and again.answers == ["real"]


def test_answers_of_another_test_are_not_overwritten(session):
    session.answer(0, "real")
    with pytest.raises(ValueError, match="another --seed"):
        judge.Session(session.trials, session.path, {"seed": 2})


def test_a_model_that_was_trained_again_is_another_test(tmp_path):
    folder, found = RunFolder(tmp_path), []
    for content in ("a", "a", "b"):
        folder.model.write_text(content)
        found.append(judge.identify(folder, {"system": "gmmn", "dataset": "digits"}))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("index,answer", [(1, "real"), (-1, "real"), (0, "maybe"), (None, None)])
def test_an_answer_out_of_turn_is_not_taken(session, index, answer):
    assert not session.answer(index, answer) and session.position == 0


# -- over HTTP ------------------------------------------------------------------------------------------------


def test_images_are_shown_one_by_one_and_scores_only_at_the_end(session, address):
    for i, trial in enumerate(session.trials):
        assert json.loads(get(address, "/state")) == {"position": i, "total": 8}
        assert get(address, "/image") == judge.png(trial.image)
        state = post(address, i, "real")
    assert state["scores"]["total"]["answers"] == 8 and session.finished.is_set()


def test_a_repeated_answer_counts_once(session, address):
    assert post(address, 0, "real")["taken"] and not post(address, 0, "real")["taken"]
    assert session.position == 1


@pytest.mark.parametrize("path,status", [("/secret", 404), ("/image/../config.json", 404)])
def test_other_paths_are_not_served(address, path, status):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(address, path)
    assert error.value.code == status


def test_another_host_name_is_refused(address):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(address, "/", Host="example.org")
    assert error.value.code == 403


def test_an_answer_without_the_pages_token_is_refused(address):
    with pytest.raises(urllib.error.HTTPError) as error:
        post(address, 0, "real", token="wrong")
    assert error.value.code == 403


# -- in a browser ---------------------------------------------------------------------------------------------


class Browser:
    """Headless Chromium over the WebDriver protocol."""

    def __init__(self):
        self.process = subprocess.Popen(
            [shutil.which("chromedriver"), "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        port = next(
            m.group(1)
            for line in self.process.stdout
            if (m := re.search(r"successfully on port (\d+)", line))
        )
        self.base = f"http://127.0.0.1:{port}/session"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"args": flags, "binary": shutil.which("chromium")}
        session = self.call("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.base += "/" + session["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read())["value"]

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, script, seconds=60):
        end = time.monotonic() + seconds
        while not self.run(f"return {script}"):
            assert time.monotonic() < end, script
            time.sleep(0.05)

    def press(self, key):
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", f"/element/{next(iter(found.values()))}/click", {})

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait(10)


@pytest.mark.skipif(
    not (shutil.which("chromedriver") and shutil.which("chromium")), reason="no chromium and chromedriver"
)
@pytest.mark.slow
def test_a_person_answers_by_key_and_click_and_sees_the_result(session, address, tmp_path):
    browser, left, right = Browser(), "\ue012", "\ue014"
    ways = [
        (lambda: browser.press(left), "real"),
        (lambda: browser.press(right), "generated"),
        (lambda: browser.press("r"), "real"),
        (lambda: browser.press("g"), "generated"),
        (lambda: browser.click("#real"), "real"),
        (lambda: browser.click("#generated"), "generated"),
    ]
    try:
        browser.call("POST", "/url", {"url": address + "/"})
        for i in range(8):
            browser.wait(f"!busy && state.position === {i}")
            do, answer = ways[i % len(ways)]
            do()
            browser.wait(f"state.position === {i + 1}")
            assert session.answers[i] == answer
        browser.wait("!document.getElementById('result').hidden")
        verdict = browser.run("return document.getElementById('verdict').textContent")
        assert verdict == f"{session.scores()['total']['errors']} of 8 answers were wrong."
        assert browser.run("return document.getElementById('rows').rows.length") >= 3
    finally:
        browser.close()
