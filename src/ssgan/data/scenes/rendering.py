"""Render N pictures of one object class: camera, weather, ground or backdrop, shading."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.data.scenes.objects import KINDS, PaintedSolid
from ssgan.data.scenes.random import Colour, RandomStream, colours
from ssgan.data.scenes.shapes import MISS, Field, Rays, Vector
from ssgan.data.scenes.textures import LINE, mix, noise, paint_backdrop, ramp

SUPERSAMPLING = 2  # rays along each side of a pixel
DRAWS = 80  # uniform numbers a picture may use
LENS = 0.42  # half the width of a scene at distance 1
CLOSE_LENS = 0.37  # the same for an object
FARTHEST = 200.0  # no point is further from the camera

# zenith, horizon, sunlight, cloud
SKIES = colours(
    "3f86d6 c3e0f2 fff2d8 ffffff "  # clear
    "5fa8dc e8f1ee fff0cc ffffff "  # bright haze
    "4a5f9e f6b26b ffbe7a f7cdb8 "  # sunset
    "5d5a94 eba79a ffbf9f d9a3b0 "  # dusk
    "8fa3b3 dbe1e3 eef0f0 f1f3f3 "  # overcast
    "2f9fb8 d6efe0 fff4d4 ffffff "  # turquoise
    "7fa0c8 fbe0b8 ffe0a8 fff3e4"  # morning
).reshape(-1, 4, 3)
# sine of the sun's height from, to; strength of sun and of sky light; cloud cover
WEATHER = np.array(
    [
        (0.45, 0.80, 1.15, 0.46, 0.45),
        (0.40, 0.75, 1.05, 0.50, 0.30),
        (0.16, 0.40, 1.20, 0.50, 0.55),
        (0.18, 0.40, 1.00, 0.55, 0.50),
        (0.50, 0.85, 0.30, 0.75, 0.85),
        (0.40, 0.75, 1.15, 0.46, 0.35),
        (0.22, 0.50, 1.20, 0.48, 0.40),
    ],
    np.float32,
)
# light and dark patches of grass, meadow, sand, snow, earth, stone, and three tilings
GROUNDS = colours(
    "8fb84f 5f9340 a9c05a 7da04a e9cf96 d3b377 f3f6fa d5e0ec b98d63 94694a b4b3ab 8f8f8a "
    "e8e0d0 8a6f5c d9dde0 6f8496 e9c9a8 b5654a"
).reshape(-1, 2, 3)
FIRST_TILING = 6


class Light(NamedTuple):
    """The weather of N scenes."""

    sun: Vector  # towards the sun, length 1
    sky: Colour  # [4, 3, N, 1, 1]: zenith, horizon, sunlight, cloud
    strength: Field  # of the sun
    ambient: Field  # strength of the light from the whole sky
    cover: Field  # share of cloud, 0 to 1


@np.errstate(over="ignore")
def render_scene(kind: str, uniform: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Upright colour pictures of one class on a ground under a sky, [N, size, size, 3].

    `uniform` is [N, DRAWS] in [0, 1); picture n depends on row n only.
    """
    rng = RandomStream(uniform)
    rays, yaw = _camera(rng, size * SUPERSAMPLING, LENS)
    light = _weather(rng, yaw)
    parts = KINDS[kind](rng)
    sky = _sky(rng, rays, light)
    return _expose(_shade_scene(rng, rays, light, parts, sky), size)


@np.errstate(over="ignore")
def render_object(kind: str, uniform: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Upright colour pictures of one class before a backdrop without an up, [N, size, size, 3].

    `uniform` is [N, DRAWS] in [0, 1); picture n depends on row n only. No shadow falls on the
    backdrop, so only the object shows the rotation.
    """
    rng = RandomStream(uniform)
    rays, yaw = _camera(rng, size * SUPERSAMPLING, CLOSE_LENS)
    light = _weather(rng, yaw)
    parts = KINDS[kind](rng)
    backdrop = paint_backdrop(rng, size * SUPERSAMPLING)
    distance, which = _nearest(rays, parts)
    point, solid = rays.at(np.minimum(distance, FARTHEST)), distance < MISS
    lit = _light_surfaces(np.array(backdrop), point, np.where(solid, which, -1), rays, light, parts)
    return _expose(np.where(solid, lit, backdrop), size)


def _expose(linear: Colour, size: int) -> NDArray[np.uint8]:
    """The bytes of linear light [3, N, H, W], averaged over the rays of a pixel."""
    blocks = np.minimum(linear, 1.0).reshape(3, -1, size, SUPERSAMPLING, size, SUPERSAMPLING)
    mean = sum(blocks[..., i, :, j] for i in range(SUPERSAMPLING) for j in range(SUPERSAMPLING))
    display = np.sqrt(np.asarray(mean) / SUPERSAMPLING**2)
    return np.moveaxis((display * 255.0 + 0.5).astype(np.uint8), 0, -1)


def _camera(rng: RandomStream, side: int, lens: float) -> tuple[Rays, Field]:
    """Rays of an upright pinhole camera with vertical shift, and its yaw in radians."""
    yaw, height, back = rng.uniform(-0.75, 0.75), rng.uniform(1.05, 2.1), rng.uniform(4.2, 5.6)
    across, centre = rng.uniform(-0.45, 0.45), rng.uniform(-0.12, 0.04)
    sine, cosine = np.sin(yaw), np.cos(yaw)
    place = (np.arange(side, dtype=np.float32) + 0.5) * (2.0 / side) - 1.0
    right = (lens * place)[None, None, :]
    tilt = lens * centre + (height - 1.05) / back  # puts the middle of the object at `centre`
    up = (lens * -place)[None, :, None] - tilt
    direction = Vector(sine + cosine * right, up, cosine - sine * right)
    origin = Vector(across * cosine - back * sine, height, -back * cosine - across * sine)
    return Rays(origin, direction), yaw


def _weather(rng: RandomStream, yaw: Field) -> Light:
    row = (rng.next() * len(SKIES)).astype(np.int64)
    sky = np.moveaxis(SKIES[row], 0, -1)[..., None, None]
    low, high, strength, ambient, cover = WEATHER[row].T[..., None, None]
    up = rng.uniform(low, high)
    azimuth = rng.uniform(0.1, 2.6)
    azimuth = np.where(rng.bernoulli(0.5), azimuth, -azimuth) + yaw
    flat = np.sqrt(1.0 - up * up)
    sun = Vector(flat * np.sin(azimuth), up, flat * np.cos(azimuth))
    cover = cover + rng.uniform(-0.25, 0.2)
    return Light(sun, sky * rng.uniform(0.92, 1.05), strength, ambient, cover)


def _sky(rng: RandomStream, rays: Rays, light: Light) -> Colour:
    """The background colours, [3, N, H, W]: gradient, sun, clouds, distant hills."""
    d = rays.direction
    zenith, horizon, sunlight, cloud = light.sky
    inverse = 1.0 / np.sqrt(d.dot(d))
    rise = np.maximum(d.y * inverse, 0.0)
    colour = mix(horizon, zenith, np.minimum(rise * 2.6, 1.0))
    facing = np.maximum(d.dot(light.sun) * inverse, 0.0)
    glow = facing
    for _ in range(4):
        glow = glow * glow
    colour = colour + sunlight * (0.4 * light.strength * glow)
    disc = ramp(facing, 0.9955, 0.9970) * np.minimum(light.strength * 2.0 - 0.5, 1.0)
    colour = mix(colour, sunlight * 1.3, np.maximum(disc, 0.0))
    far = 1.0 / (np.maximum(d.y, 0.0) + 0.09)
    x, z = d.x * far + rng.uniform(0.0, 50.0), d.z * far + rng.uniform(0.0, 50.0)
    vapour = 0.65 * noise(x * 1.3, z * 1.3) + 0.35 * noise(x * 3.1, z * 3.1)
    amount = ramp(vapour, 0.95 - light.cover * 0.8, 1.2 - light.cover * 0.7)
    colour = mix(colour, cloud, amount * ramp(rise, 0.0, 0.1) * 0.95)
    angle = d.x / np.where(d.z > 0.1, d.z, 0.1) + rng.uniform(0.0, 50.0)
    ridge = rng.uniform(0.0, 0.22) * noise(angle * 3.0, LINE)
    ridge = ridge + 0.02 * noise(angle * 14.0, LINE)
    green = rng.colour("5f7f63 6f8a94 8a7f6a 7d8fb0")
    hill = mix(green * (0.35 + 0.5 * light.ambient), horizon, rng.uniform(0.3, 0.7))
    return mix(colour, hill, ramp(ridge - d.y, -0.002, 0.002))


def _ground(rng: RandomStream, where: Vector, distance: Field) -> Colour:
    """The colour of the ground at points of it, [3, N, H, W]."""
    row = (rng.next() * len(GROUNDS)).astype(np.int64)
    light, dark = np.moveaxis(GROUNDS[row], 0, -1)[..., None, None]
    tiled = (row >= FIRST_TILING)[:, None, None]
    angle, scale = rng.uniform(-0.7, 0.7), rng.uniform(0.7, 1.3)
    sine, cosine = np.sin(angle) * scale, np.cos(angle) * scale
    x, z = where.x * cosine + where.z * sine + 200.0, where.z * cosine - where.x * sine + 200.0
    clear = 1.0 / (1.0 + distance * distance * 0.004)
    fine = noise(x * 7.0, z * 7.0) - 0.5
    patches = 0.5 + (noise(x * 1.1, z * 1.1) - 0.5 + fine * clear) * 0.9
    half = np.floor(x) + np.floor(z)
    checks = half - 2.0 * np.floor(half * 0.5)
    checks = 0.5 + (checks - 0.5) * np.minimum(clear * 1.5, 1.0) + fine * 0.1 * clear
    return mix(dark, light, np.clip(np.where(tiled, checks, patches), 0.0, 1.0))


def _shade_scene(
    rng: RandomStream, rays: Rays, light: Light, parts: list[PaintedSolid], sky: Colour
) -> Colour:
    """The light that reaches the camera, [3, N, H, W]."""
    nearest, which = _nearest(rays, parts)
    fall = np.minimum(rays.direction.y, -0.01)
    floor = -rays.origin.y / fall
    solid = nearest < floor * (1.0 - 1e-4)
    open_sky = ~solid & (rays.direction.y >= -0.01)
    distance = np.minimum(np.where(solid, nearest, floor), FARTHEST)
    point = rays.at(distance)
    colour = np.array(_ground(rng, point, distance))
    seen = _light_surfaces(colour, point, np.where(solid, which, -1), rays, light, parts)
    haze = np.where(solid, 0.0, distance * distance / (distance * distance + 900.0))
    return np.where(open_sky, sky, mix(seen, light.sky[1], haze))


def _light_surfaces(
    colour: Colour,
    point: Vector,
    which: NDArray[np.int8],
    rays: Rays,
    light: Light,
    parts: list[PaintedSolid],
) -> Colour:
    """The light of each point: on the part `which`, or on the ground of this colour where -1."""
    solid = which >= 0
    normal, gloss = _paint(colour, point, which, parts)
    lit = normal.dot(light.sun)
    bright = np.maximum(lit, 0.0) * _lit_share(point.plus(normal, 0.01), light, parts)
    _, horizon, sunlight, _ = light.sky
    mirror = light.sun.plus(rays.direction.unit(), -1.0).unit()
    shine = np.maximum(normal.dot(mirror), 0.0)
    for _ in range(5):
        shine = shine * shine
    radius = (point.x * point.x + point.z * point.z) * 0.8
    contact = 1.0 - 0.6 / (1.0 + radius * radius)
    open_side = 0.55 + 0.45 * np.minimum(np.maximum(point.y, 0.0) * 1.4, 1.0)
    open_share = np.where(solid, open_side * (0.8 + 0.2 * normal.y), contact)
    around = mix(light.sky[0], horizon, 0.6) * 0.55 + 0.45
    seen = colour * (around * (light.ambient * open_share) + sunlight * (light.strength * bright))
    return seen + sunlight * (gloss * shine * light.strength * (bright > 0.0))


def _nearest(rays: Rays, parts: list[PaintedSolid]) -> tuple[Field, NDArray[np.int8]]:
    """Distance to the nearest part, and its number."""
    best = parts[0].solid.distance(rays)
    which = np.zeros(best.shape, np.int8)
    for number, part in enumerate(parts[1:], start=1):
        t = part.solid.distance(rays)
        which[t < best] = number
        best = np.minimum(best, t)
    return best, which


def _paint(
    colour: Colour, point: Vector, which: NDArray[np.int8], parts: list[PaintedSolid]
) -> tuple[Vector, Field]:
    """Write the colours of the parts into `colour`; return unit normals and gloss."""
    normal = Vector(*(np.full(which.shape, c, np.float32) for c in (0.0, 1.0, 0.0)))
    gloss = np.zeros(which.shape, np.float32)
    for number, part in enumerate(parts):
        window = _window(which == number)
        here = which[window] == number
        place = Vector(*(np.asarray(a)[window] for a in point))
        np.copyto(gloss[window], np.float32(part.gloss), where=here)
        for whole, own in zip(normal, part.solid.normal(place).unit(), strict=True):
            np.copyto(np.asarray(whole)[window], own, where=here)
        np.copyto(colour[:, *window], part.colour, where=here)
        for coated, coat in part.coats:
            np.copyto(colour[:, *window], coat, where=here & coated(place))
    return normal, gloss


def _window(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The smallest rectangle that contains the mask of every picture."""
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((0, 2), (0, 1))]
    rows, columns = (slice(s[0], s[-1] + 1) if len(s) else slice(0, 0) for s in spans)
    return slice(None), rows, columns


def _lit_share(point: Vector, light: Light, parts: list[PaintedSolid]) -> Field:
    """1 in sunlight, 0 in shadow.

    Neighbouring rays aim at different points of the sun, which softens the mean of a pixel.
    """
    height, width = np.asarray(point.x).shape[1:]
    spread = 0.035
    across = np.where(np.arange(width) % 2 == 0, spread, -spread).astype(np.float32)
    along = np.where(np.arange(height) % 2 == 0, spread, -spread).astype(np.float32)
    sun = light.sun
    to_sun = Vector(sun.x + across[None, None, :], sun.y, sun.z + along[None, :, None])
    rays = Rays(point, to_sun)
    seen: NDArray[np.bool_] = np.ones(np.asarray(point.x).shape, np.bool_)
    for part in parts:
        seen &= part.solid.distance(rays) >= MISS
    return seen.astype(np.float32)
