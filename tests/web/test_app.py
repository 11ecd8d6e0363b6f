"""What the page is answered: images, rotations, maps, projections, comparisons, by ids alone."""

import inspect
import io
import json
import time
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tests.web.pages import EVIL, TOKEN, ask, get_json, post_json, wait_for_job, write_logs

import ssgan  # isort: skip
from ssgan.cli.main import main  # isort: skip


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def png_of(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def run(rows):
    return rows["first"]["id"]


def test_rows_have_what_the_list_of_runs_has(rows):
    assert set(rows) == {"first", EVIL, "labelled"}
    first = rows["first"]
    assert (first["step"], first["total_steps"], first["method"]) == (4, 6, "SSGAN")
    assert first["best"] == {"metric": "FD-random", "value": 3.5, "step": 2}
    assert first["health"] == "healthy"
    assert first["error"] is None


def test_details_and_curves_are_those_of_the_files(port, run):
    status, details = get_json(port, f"runs/{run}/details")
    assert status == 200
    assert ["method.alpha", "0.2"] in details["settings"]
    assert details["events"][0]["evidence"] == ["it learns"]
    _, curves = get_json(port, f"runs/{run}/curves")
    assert curves["curves"]["D/rotation_accuracy"][1] == [2, 0.45]
    assert curves["curves"]["FD-random"] == [[2, 3.5]]
    assert curves["panels"][0]["curves"] == {"D/adversarial": "D", "G/adversarial": "G"}
    assert set(curves["curves"]) == {
        *("D/adversarial", "G/adversarial", "D/rotation_accuracy", "FD-random"),
    }


def test_the_image_of_a_seed_is_that_of_ssgan_sample(port, run, folder, tmp_path):
    out = tmp_path / "out"
    words = ["sample", str(folder / "first"), "--seeds", "5,900", "--out", str(out)]
    assert main([*words, "--truncation", "0.7"]) == 0
    for number, seed in enumerate((5, 900)):
        path = f"/{TOKEN}/api/image/{run}/checkpoint-3/{seed}?truncation=0.7"
        status, headers, content = ask(port, path)
        assert (status, headers["content-type"]) == (200, "image/png")
        written = np.asarray(Image.open(out / "images" / f"image-{number:05d}.png"))
        assert np.array_equal(pixels_of(content), written)
    _, _, other = ask(port, f"/{TOKEN}/api/image/{run}/checkpoint-3/5")
    assert not np.array_equal(
        pixels_of(other), np.asarray(Image.open(out / "images/image-00000.png"))
    )


def draw(port, run, **spot) -> np.ndarray:
    body = json.dumps({"run": run, "spot": spot}).encode()
    status, _, content = ask(port, f"/{TOKEN}/api/image", "POST", body)
    assert status == 200, content
    return pixels_of(content)


def test_a_way_begins_and_ends_at_its_points_and_passes_between_them(port, run):
    start, end = {"seed": 1}, {"seed": 2}
    first, last = draw(port, run, point=start), draw(port, run, point=end)
    assert np.array_equal(draw(port, run, point=start, towards=end, share=0), first)
    assert np.array_equal(draw(port, run, point=start, towards=end, share=1), last)
    between = draw(port, run, point=start, towards=end, share=0.5)
    assert not np.array_equal(between, first)
    assert not np.array_equal(between, last)
    assert np.array_equal(draw(port, run, point=start, towards=start, share=0.5), first)


def test_sliders_move_an_image_once_the_directions_are_measured(port, rows):
    run = rows[EVIL]["id"]
    point = {"seed": 3, "offsets": [2.0, 0.0]}
    refused = json.dumps({"run": run, "spot": {"point": point}}).encode()
    assert ask(port, f"/{TOKEN}/api/image", "POST", refused)[0] == 422
    _, job = post_json(port, "directions", {"run": run})
    found = wait_for_job(port, job)
    assert found["result"] == {"directions": 8}
    still = draw(port, run, point={"seed": 3})
    assert not np.array_equal(draw(port, run, point=point), still)
    assert np.array_equal(draw(port, run, point={"seed": 3, "offsets": [0.0] * 8}), still)


def test_rotations_are_the_right_ones_with_the_probabilities_of_the_discriminator(
    port, run, folder
):
    status, found = post_json(port, "rotations", {"run": run, "seed": 4, "count": 2})
    assert status == 200
    model = ssgan.load(folder / "first")
    for place, image in enumerate(found["images"]):
        assert image["name"] == f"seed {4 + place}"
        upright = model.sample(1, seed=4 + place)[0]
        for degrees, one in zip((0, 90, 180, 270), image["rotations"], strict=True):
            rotated = np.rot90(upright, degrees // 90).copy()
            shown = pixels_of(ask_picture(one["picture"]))
            assert one["degrees"] == degrees
            assert np.abs(shown.astype(int) - rotated).max() <= 1
            logits = model.logits(shown[None].copy()).auxiliary[0]
            expected = (logits.exp() / logits.exp().sum()).tolist()
            assert one["shares"] == pytest.approx(expected, abs=1e-4)
    right = [
        max(range(4), key=one["shares"].__getitem__) == place
        for image in found["images"]
        for place, one in enumerate(image["rotations"])
    ]
    assert found["right"] == sum(right) / len(right)


def ask_picture(address: str) -> bytes:
    import base64

    return base64.b64decode(address.removeprefix("data:image/png;base64,"))


def test_real_images_are_read_from_the_source_of_the_run(port, run):
    status, found = post_json(port, "rotations", {"run": run, "real": True, "count": 3})
    assert status == 200
    assert len({image["name"] for image in found["images"]}) == 3
    assert found["images"][0]["name"].startswith("image ")


def test_a_method_without_rotations_shows_logits_alone(port, rows):
    labelled = rows["labelled"]["id"]
    _, found = post_json(port, "rotations", {"run": labelled, "count": 1})
    assert found["right"] is None
    assert found["images"][0]["rotations"][0]["shares"] is None
    assert isinstance(found["images"][0]["rotations"][0]["logit"], float)


def test_labels_are_classes_of_the_model_and_others_are_refused(port, rows):
    labelled = rows["labelled"]["id"]
    _, model = post_json(port, "model", {"run": labelled})
    assert model["classes"] == list("abcdefghij")
    by_seed = draw(port, labelled, point={"seed": 13})
    assert np.array_equal(draw(port, labelled, point={"seed": 13}, label=3), by_seed)
    assert not np.array_equal(draw(port, labelled, point={"seed": 13}, label=4), by_seed)
    body = json.dumps({"run": labelled, "spot": {"point": {"seed": 1}, "label": 10}}).encode()
    assert ask(port, f"/{TOKEN}/api/image", "POST", body)[0] == 422


def test_a_map_has_a_point_and_a_thumbnail_for_every_image(port, run):
    _, job = post_json(port, "maps", {"run": run, "fakes": 5, "reals": 7})
    found = wait_for_job(port, job)["result"]
    assert found["real"] == [False] * 5 + [True] * 7
    assert np.abs(np.array(found["points"])).max() == pytest.approx(1)
    sheet = pixels_of(ask_picture(found["sheet"]))
    assert sheet.shape == (32, 20 * 32, 3)
    _, _, first = ask(port, f"/{TOKEN}/api/image/{run}/newest/0")
    assert np.array_equal(sheet[:, :32], pixels_of(first))
    assert post_json(port, "maps", {"run": run, "way": "tsne"})[0] == 422


def test_a_map_has_the_logits_of_the_classes_of_its_images(port, rows, folder):
    run = rows["labelled"]["id"]
    _, job = post_json(port, "maps", {"run": run, "fakes": 12, "reals": 0})
    found = wait_for_job(port, job)["result"]
    model = ssgan.load(folder / "labelled")
    labels = [number % 10 for number in range(12)]
    expected = model.logits(model.sample(12), labels).real.tolist()
    assert found["logits"] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def project(port, run, body, **query):
    words = "&".join(f"{name}={value}" for name, value in {"run": run, **query}.items())
    path = f"/{TOKEN}/api/pictures?{words}"
    status, _, content = ask(port, path, "POST", body, content_type="application/octet-stream")
    return status, json.loads(content)


def test_a_projection_is_a_point_to_move_from(port, run):
    picture = np.full((40, 60, 3), 200, np.uint8)
    status, job = project(port, run, png_of(picture), steps=2)
    assert status == 200
    found = wait_for_job(port, job)
    assert found["state"] == "finished"
    assert found["result"]["distance"] <= found["result"]["nearest_sample"]
    image = pixels_of(ask_picture(found["result"]["image"]))
    moved = draw(port, run, point={"projection": found["id"]})
    assert np.abs(moved.astype(int) - image).max() <= 1
    assert ask(port, f"/{TOKEN}/api/jobs/{'0' * 16}")[0] == 404


def test_pictures_that_cannot_be_read_are_refused_in_one_line(port, run):
    huge = png_of(np.zeros((8, 8, 3), np.uint8)).replace(
        b"IHDR\x00\x00\x00\x08\x00\x00\x00\x08", b"IHDR\x00\x00\xea\x60\x00\x00\xea\x60"
    )
    for body in (b"", b"no picture", png_of(np.zeros((9, 9), np.uint8))[:40], huge):
        status, answer = project(port, run, body)
        assert status == 422
        assert "\n" not in answer["error"]
        assert "picture" in answer["error"]
    wide = np.zeros((4100, 6000), np.uint8)
    assert "24,000,000" in project(port, run, png_of(wide))[1]["error"]


def test_work_that_nobody_wants_ends(port, run):
    picture = png_of(np.full((32, 32, 3), 90, np.uint8))
    _, job = project(port, run, picture, steps=1000)
    post_json(port, f"jobs/{job['id']}/end", {})
    assert wait_for_job(port, job)["state"] == "ended"


def test_chosen_images_come_in_one_archive_with_how_they_were_made(port, run):
    spots = [{"point": {"seed": 7}}, {"point": {"seed": 8, "truncation": 0.5}}]
    body = json.dumps({"run": run, "spots": spots}).encode()
    status, _, content = ask(port, f"/{TOKEN}/api/download", "POST", body)
    assert status == 200
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["image-00000.png", "image-00001.png", "images.json"]
    record = json.loads(archive.read("images.json"))
    assert record["command"] == "ssgan sample first --seeds 7,8"
    assert record["images"][1]["point"] == {"seed": 8, "truncation": 0.5}
    shown = pixels_of(archive.read("image-00000.png"))
    assert np.array_equal(shown, draw(port, run, point={"seed": 7}))


def test_runs_are_compared_by_settings_that_differ(port, rows):
    ids = [rows["first"]["id"], rows["labelled"]["id"]]
    status, found = post_json(port, "compare", {"runs": ids})
    assert status == 200
    assert ["method", "SSGAN", "ConditionalGAN"] in found["settings"]
    assert found["facts"][0] == ["step", "4/6", "4/6"]
    assert len(found["curves"]) == 2
    assert post_json(port, "compare", {"runs": ids[:1]})[0] == 422


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("model", {"run": "../first"}),
        ("model", {"run": "0" * 16}),
        ("model", {"run": "{run}", "state": "../best"}),
        ("model", {"run": "{run}", "state": "checkpoint-99"}),
        ("model", {"run": "{run}", "path": "/etc/passwd"}),
        ("image", {"run": "{run}", "spot": {"point": {"seed": -1}}}),
        ("image", {"run": "{run}", "spot": {"point": {"seed": 2**60}}}),
        ("image", {"run": "{run}", "spot": {"point": {"truncation": 0}}}),
        ("image", {"run": "{run}", "spot": {"point": {"offsets": [1e9]}}}),
        ("image", {"run": "{run}", "spot": {"point": {"offsets": [0.0] * 99}}}),
        ("image", {"run": "{run}", "spot": {"point": {}, "share": 2}}),
        ("rotations", {"run": "{run}", "count": 1000}),
        ("download", {"run": "{run}", "spots": []}),
        ("maps", {"run": "{run}", "fakes": 10**6}),
    ],
)
def test_what_no_page_asks_for_is_refused_in_one_line(port, run, path, content):
    known = json.loads(json.dumps(content).replace("{run}", run))
    status, answer = post_json(port, path, known)
    assert status in (404, 422)
    assert set(answer) == {"error"}
    assert len(answer["error"]) < 200


def test_the_best_state_has_no_discriminator_and_the_page_says_so(port, run):
    _, states = get_json(port, f"runs/{run}/states")
    assert [one["name"] for one in states["states"]] == ["checkpoint-3", "best"]
    status, model = post_json(port, "model", {"run": run, "state": "best"})
    assert (status, model["has_discriminator"]) == (200, False)
    status, answer = post_json(port, "rotations", {"run": run, "state": "best"})
    assert (status, "no discriminator" in answer["error"]) == (422, True)


def test_a_page_hears_of_a_line_in_a_log_without_asking(port, rows, folder):
    from tests.web.pages import connect

    run = rows["labelled"]
    with connect(port) as link:
        link.sendall(f"GET /{TOKEN}/api/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
        heard = b""
        while run["id"].encode() not in heard:
            heard += link.recv(65536)
        write_logs(folder / "labelled", steps=5)
        news, until = b"", time.monotonic() + 20
        while b'"step":5' not in news and time.monotonic() < until:
            news += link.recv(65536)
    assert b'"whole":false' in news
    assert run["id"].encode() in news
    assert rows["first"]["id"].encode() not in news


def test_nothing_is_sent_to_collectors_of_telemetry(folder, monkeypatch):
    import fastapi

    from ssgan.web.app import build_app, build_site

    if "telemetry" not in inspect.signature(fastapi.FastAPI).parameters:
        pytest.skip("this FastAPI has no telemetry")
    given = {}
    plain = fastapi.FastAPI
    monkeypatch.setattr(fastapi, "FastAPI", Recorded := type("Recorded", (plain,), {}))
    monkeypatch.setattr(
        Recorded, "__init__", lambda self, **kw: given.update(kw) or plain.__init__(self, **kw)
    )
    Recorded.__signature__ = inspect.signature(plain)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    site = build_site(folder)
    build_app(site)
    site.stop()
    assert set(given["telemetry"].values()) == {False}


def test_torch_is_left_as_it_was():
    assert torch.get_num_threads() == 1
