"""The routes of the page: each reads a request, has the work done in a thread, and answers."""

import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ssgan.export.model import Model
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.report.comparison import ComparedRun, compare_runs
from ssgan.types import UserError
from ssgan.web import requests
from ssgan.web.catalogue import RunCatalogue, UnknownId
from ssgan.web.curves import read_details, read_sheet, read_thin_curves
from ssgan.web.explorer import Explorer
from ssgan.web.feature_map import draw_map, has_umap
from ssgan.web.jobs import PageJob, PageJobs
from ssgan.web.live import LiveRuns
from ssgan.web.models import ModelCache, describe_networks, list_stored_states
from ssgan.web.pictures import decode_picture, encode_png, pack_images
from ssgan.web.rotations import describe_rotations
from ssgan.web.run_images import ImageSources, find_label
from ssgan.web.security import UPLOAD_PATH
from ssgan.web.worker import Busy, Worker

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

_TELEMETRY = ("tracing", "metrics", "logs", "operation_spans", "auto_configure")  # of FastAPI
_STATIC = ("index.html", "style.css", "icon.svg")
_SCRIPTS = ("app", "page", "runs", "charts", "gallery", "latents", "rotations", "map", "compare")
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_CACHED = {"cache-control": "private, max-age=3600"}  # an image of a seed and a state stays


@dataclass
class Site:
    """Everything that the routes share."""

    catalogue: RunCatalogue
    models: ModelCache
    sources: ImageSources
    explorer: Explorer
    jobs: PageJobs
    live: LiveRuns
    reading: Worker  # small files
    drawing: Worker  # images that somebody waits for
    working: Worker  # long work

    def stop(self) -> None:
        """End the threads."""
        for worker in (self.reading, self.drawing, self.working):
            worker.stop()

    def get_model(self, wanted: requests.StateRequest) -> Model:
        """The networks of a state."""
        return self.models.get(self.catalogue.find(wanted.run), wanted.state)


def build_site(
    root: Path, trusted_modules: tuple[str, ...] = (), begin: Callable[[], None] = lambda: None
) -> Site:
    """The parts of a page over a folder of runs; `begin` runs first in the thread of long work."""
    catalogue = RunCatalogue(root, trusted_modules)
    reading, drawing, working = Worker("read"), Worker("draw"), Worker("work", begin)
    jobs = PageJobs(working)
    return Site(
        catalogue,
        ModelCache(catalogue),
        ImageSources(catalogue),
        Explorer(jobs),
        jobs,
        LiveRuns(partial(reading.run, catalogue.refresh)),
        *(reading, drawing, working),
    )


def build_app(site: Site) -> "FastAPI":
    """The application; the gate in front of it is `security.Gate`."""
    from fastapi import FastAPI

    options: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    if "telemetry" in inspect.signature(FastAPI).parameters:  # else none is there to turn off
        options["telemetry"] = dict.fromkeys(_TELEMETRY, False)
    app = FastAPI(**options, redirect_slashes=False)
    _add_errors(app)
    _add_files(app)
    _add_runs(app, site)
    _add_images(app, site)
    _add_studies(app, site)
    _add_jobs(app, site)
    return app


def _add_errors(app: "FastAPI") -> None:
    from fastapi import Request, Response
    from fastapi.exceptions import RequestValidationError

    def add(kind: type[Exception], status: int, words: Callable[[Any], str]) -> None:
        async def answer(request: Request, error: Exception) -> Response:
            return _as_json({"error": words(error)}, status)

        app.add_exception_handler(kind, answer)

    add(UnknownId, 404, str)
    add(UserError, 422, str)
    add(Busy, 503, lambda error: "too much work waits: try again in a moment")
    add(RequestValidationError, 422, _describe_invalid)


def _describe_invalid(error: Any) -> str:
    """The first fault of a request, by its place, without the value."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return f"{place or 'the request'}: {first['msg']}"


def _add_files(app: "FastAPI") -> None:
    from fastapi import Response

    @app.get("/")
    async def read_page() -> Response:
        return _static("index.html")

    @app.get("/static/{name}")
    async def read_static(name: str) -> Response:
        if name not in (*_STATIC, *(f"{script}.js" for script in _SCRIPTS)):
            raise UnknownId("no such file")
        return _static(name)


def _static(name: str) -> "Response":
    from fastapi import Response

    kind = _TYPES[name.rpartition(".")[2]]
    return Response(_read_packaged(name), media_type=f"{kind}; charset=utf-8")


@cache
def _read_packaged(name: str) -> bytes:
    return (resources.files("ssgan.web") / "static" / name).read_bytes()


def _add_runs(app: "FastAPI", site: Site) -> None:
    from fastapi import Response
    from fastapi.responses import StreamingResponse

    def find(run: requests.HexId) -> RunDirectory:
        return site.catalogue.find(run)

    @app.get("/api/events")
    async def follow_runs() -> Response:
        return StreamingResponse(site.live.stream(), media_type="text/event-stream")

    @app.get("/api/folder")
    async def describe_folder() -> Response:
        others = site.catalogue.describe_others()
        root = readable(site.catalogue.root)
        return _as_json({"root": root, "others": others, "has_umap": has_umap()})

    @app.get("/api/runs/{run}/details")
    async def show_details(run: requests.HexId) -> Response:
        def read() -> dict[str, Any]:
            layout = find(run)
            return read_details(layout, site.catalogue.read_config(layout))

        return _as_json(await site.reading.run(read))

    @app.get("/api/runs/{run}/curves")
    async def show_curves(run: requests.HexId) -> Response:
        return _as_json(await site.reading.run(lambda: read_thin_curves(find(run))))

    @app.get("/api/runs/{run}/sheets/{step}")
    async def show_sheet(run: requests.HexId, step: requests.Seed) -> Response:
        content = await site.reading.run(lambda: read_sheet(find(run), step))
        return Response(content, media_type="image/png", headers=_CACHED)

    @app.get("/api/runs/{run}/states")
    async def show_states(run: requests.HexId) -> Response:
        states = await site.reading.run(lambda: list_stored_states(find(run)))
        return _as_json({"states": [{"name": s.name, "step": s.step} for s in states]})

    @app.post("/api/compare")
    async def compare(wanted: requests.ComparisonRequest) -> Response:
        def read() -> dict[str, Any]:
            layouts = [find(run) for run in wanted.runs]
            runs = [ComparedRun(one, site.catalogue.read_config(one)) for one in layouts]
            return {
                **compare_runs(runs)._asdict(),
                "curves": [read_thin_curves(one) for one in layouts],
            }

        return _as_json(await site.reading.run(read))


def _add_images(app: "FastAPI", site: Site) -> None:
    from fastapi import Response

    def draw(wanted: requests.StateRequest, spot: requests.Spot) -> bytes:
        model = site.get_model(wanted)
        return encode_png(site.explorer.draw(model, spot), model.ratio)

    @app.post("/api/model")
    async def describe_model(wanted: requests.StateRequest) -> Response:
        return _as_json(await site.drawing.run(lambda: describe_networks(site.get_model(wanted))))

    @app.get("/api/image/{run}/{state}/{seed}")
    async def show_sample(
        run: requests.HexId,
        state: requests.StateName,
        seed: requests.Seed,
        truncation: requests.Truncation | None = None,
        label: requests.LabelNumber | None = None,
    ) -> Response:
        point = requests.Point(seed=seed, truncation=truncation)
        wanted = requests.StateRequest(run=run, state=state)
        spot = requests.Spot(point=point, label=label)
        content = await site.drawing.run(lambda: draw(wanted, spot))
        headers = _CACHED if state != "newest" else None
        return Response(content, media_type="image/png", headers=headers)

    @app.post("/api/image")
    async def show_image(wanted: requests.ImageRequest) -> Response:
        content = await site.drawing.run(lambda: draw(wanted, wanted.spot))
        return Response(content, media_type="image/png")

    @app.post("/api/download")
    async def download(wanted: requests.DownloadRequest) -> Response:
        content = await site.drawing.run(lambda: _pack(site, wanted))
        return Response(content, media_type="application/zip")


def _pack(site: Site, wanted: requests.DownloadRequest) -> bytes:
    """The archive of chosen images."""
    model = site.get_model(wanted)
    facts, named = list[object](), []
    for number, spot in enumerate(wanted.spots):
        name = f"image-{number:05d}"
        named.append((name, site.explorer.draw(model, spot)))
        facts.append({"name": f"{name}.png", **spot.model_dump(exclude_defaults=True)})
    run = site.catalogue.find(wanted.run).root
    seeds = ",".join(str(spot.point.seed) for spot in wanted.spots)
    command = f"ssgan sample {readable(run.name)} --seeds {seeds}"
    return pack_images(named, facts, command, model.ratio)


def _add_studies(app: "FastAPI", site: Site) -> None:
    from fastapi import Response

    @app.post("/api/rotations")
    async def show_rotations(wanted: requests.RotationRequest) -> Response:
        return _as_json(await site.drawing.run(lambda: _rotate(site, wanted)))

    @app.post("/api/maps")
    async def start_map(wanted: requests.MapRequest) -> Response:
        def work(job: PageJob) -> dict[str, Any]:
            reals, note = None, ""
            model = site.get_model(wanted)
            if wanted.reals:
                try:
                    layout = site.catalogue.find(wanted.run)
                    reals = site.sources.choose(layout, wanted.reals, 0)
                except (UserError, OSError) as error:
                    note = f"without real images: {error}"
            return {**draw_map(model, wanted.fakes, reals, wanted.way, job), "note": note}

        return _as_json(site.jobs.start(work).as_json())


def _rotate(site: Site, wanted: requests.RotationRequest) -> dict[str, Any]:
    model = site.get_model(wanted)
    if wanted.real:
        chosen = site.sources.choose(site.catalogue.find(wanted.run), wanted.count, wanted.seed)
        names = [f"image {number}" for number in chosen.numbers]
        labels = [find_label(model, chosen, label) for label in chosen.labels]
        return describe_rotations(model, chosen.pixels, names, labels)
    seeds = range(wanted.seed, wanted.seed + wanted.count)
    spots = [requests.Spot(point=requests.Point(seed=seed)) for seed in seeds]
    pixels = np.stack([site.explorer.draw(model, spot) for spot in spots])
    labels = [seed % len(model.classes) if model.classes else None for seed in seeds]
    return describe_rotations(model, pixels, [f"seed {seed}" for seed in seeds], labels)


def _add_jobs(app: "FastAPI", site: Site) -> None:
    from fastapi import Query, Request, Response

    @app.post("/api/directions")
    async def start_directions(wanted: requests.StateRequest) -> Response:
        def work(job: PageJob) -> dict[str, Any]:
            return site.explorer.find_directions(site.get_model(wanted), job)

        return _as_json(site.jobs.start(work).as_json())

    @app.post(UPLOAD_PATH)
    async def start_projection(
        request: Request,
        run: requests.HexId,
        state: requests.StateName = "newest",
        label: requests.LabelNumber | None = None,
        steps: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Response:
        data = await request.body()
        wanted = requests.StateRequest(run=run, state=state)

        def read() -> tuple[Model, Any]:
            model = site.get_model(wanted)
            return model, decode_picture(data, model.config.data.preprocessing)

        model, picture = await site.drawing.run(read)
        job = site.jobs.start(lambda job: site.explorer.project(model, picture, label, steps, job))
        return _as_json(job.as_json())

    @app.get("/api/jobs/{job}")
    async def show_job(job: requests.HexId) -> Response:
        return _as_json(site.jobs.find(job).as_json())

    @app.post("/api/jobs/{job}/end")
    async def end_job(job: requests.HexId) -> Response:
        with suppress(UnknownId):
            site.jobs.find(job).end()
        return _as_json({})


def _as_json(content: object, status: int = 200) -> "Response":
    from fastapi import Response

    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(text, status_code=status, media_type="application/json")
