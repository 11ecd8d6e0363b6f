"""The ten object classes of `scenes`: solids and paint, chosen by keyed random numbers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ssgan.data.scenes.random import Colour, Mask, RandomStream
from ssgan.data.scenes.shapes import (
    Ellipsoid,
    Field,
    Frustum,
    Number,
    Plane,
    Polyhedron,
    Solid,
    Vector,
    box,
    gable,
    pyramid,
)


class PaintedSolid(NamedTuple):
    """A solid with its paint; later coats cover earlier ones."""

    solid: Solid
    colour: Colour
    coats: Sequence[tuple[Callable[[Vector], Mask], Colour]] = ()
    gloss: float = 0.1  # strength of the highlight, 0 to 1


TOYS = "d8433b e8853a f0bd3e 5fae57 2f9c95 3f7fc4 6a5fb5 d0679d 28415e e9e1d0"
LIGHT = "f4efe4 fbe3a8 cfe6ee f6d5cf dfe9c9"
BRICK = "d9a86c e3c48d b9805a c9b79a a8633f"
WOOD = "c9955c a87242 dcb27a 8f5f3b"
LEAVES = "4f8f3a 6fa83f 2f7048 d9902f c4512f eeb0bd 8fae3b"
CAPS = "c93a2f d8632b 9a5a3a c98a3c a13f6b"
WALLS = "f3ead8 e7c9a0 c9dbe0 e8b4a0 f0dc98 b9c9a8"
ROOFS = "a8432f 6e3b33 44566b 8a5a3c 3f6d5a"
SNOW = "f2f6fb"
CREAM = "f6edd8"
COAL = "2b2a30"


def _ball(rng: RandomStream) -> list[PaintedSolid]:
    r = rng.uniform(0.85, 1.1)
    base, accent = rng.colour(TOYS), rng.colour(LIGHT)
    axis = Vector(rng.uniform(-1.0, 1.0), rng.uniform(0.4, 1.0), rng.uniform(-0.6, 0.6)).unit()
    stripes, width = rng.uniform(0.7, 1.5), rng.uniform(0.3, 0.5) * ~rng.bernoulli(0.3)

    def striped(p: Vector) -> Mask:
        return _fraction((axis.dot(p.plus(Vector(0.0, r, 0.0), -1.0)) / r) * stripes + 0.2) < width

    solid = Ellipsoid(Vector(0.0, r, 0.0), Vector(r, r, r))
    return [PaintedSolid(solid, base, [(striped, accent)], gloss=0.5)]


def _box(rng: RandomStream) -> list[PaintedSolid]:
    half, depth, height = rng.uniform(0.75, 1.0), rng.uniform(0.75, 1.0), rng.uniform(1.3, 2.0)
    wood = rng.bernoulli(0.5)
    base: Field = np.where(wood, rng.colour(WOOD), rng.colour(TOYS))
    accent = np.where(wood, base * 0.62, rng.colour(LIGHT))
    border = np.where(wood, 0.78, rng.uniform(-0.4, -0.25))

    def frame(p: Vector) -> Mask:
        a, b, c = np.abs(p.x) / half, np.abs(p.y / height * 2.0 - 1.0), np.abs(p.z) / depth
        wide = (a > border).astype(np.int8) + (b > border) + (c > border) >= 2
        ribbon = (a < 0.16) | (c < 0.16)
        return np.where(wood, wide, ribbon)

    solid = box(Vector(-half, 0.0, -depth), Vector(half, height, depth))
    return [PaintedSolid(solid, base, [(frame, accent)])]


def _cone(rng: RandomStream) -> list[PaintedSolid]:
    r, height = rng.uniform(0.75, 0.95), rng.uniform(2.0, 2.6)
    base, accent, plate = rng.colour(TOYS), rng.colour(LIGHT), rng.uniform(1.1, 1.25)
    bands, width = rng.uniform(1.2, 2.2), rng.uniform(0.25, 0.5) * ~rng.bernoulli(0.2)

    def banded(p: Vector) -> Mask:
        return _fraction(p.y / height * bands + 0.3) < width

    foot = box(Vector(-plate * r, 0.0, -plate * r), Vector(plate * r, 0.14, plate * r))
    body = Frustum(0.0, 0.0, 0.14, height, r, 0.06)
    return [PaintedSolid(foot, base * 0.7), PaintedSolid(body, base, [(banded, accent)], gloss=0.3)]


def _gate(rng: RandomStream) -> list[PaintedSolid]:
    half, height, r = rng.uniform(0.85, 1.1), rng.uniform(1.7, 2.1), rng.uniform(0.14, 0.22)
    base, dark = rng.colour("d1432e c9562f 8a5a3c 3f7fc4 4d8a6a e3ded2 7c6f9c"), rng.colour(ROOFS)
    reach, lower = half * rng.uniform(1.3, 1.45), height * rng.uniform(0.68, 0.76)

    def feet(p: Vector) -> Mask:
        return np.asarray(p.y < 0.25)

    posts = [Frustum(s * half, 0.0, 0.0, height, r * 1.1, r * 0.9) for s in (-1.0, 1.0)]
    tie = box(Vector(-half * 1.18, lower, -0.1), Vector(half * 1.18, lower + 0.2, 0.1))
    beam = box(Vector(-reach, height, -0.22), Vector(reach, height + 0.2, 0.22))
    roof = box(Vector(-reach * 1.06, height + 0.2, -0.3), Vector(reach * 1.06, height + 0.34, 0.3))
    painted = [PaintedSolid(post, base, [(feet, dark)]) for post in posts]
    return [*painted, PaintedSolid(tie, base), PaintedSolid(beam, base), PaintedSolid(roof, dark)]


def _pyramid(rng: RandomStream) -> list[PaintedSolid]:
    half, height = rng.uniform(1.1, 1.4), rng.uniform(1.6, 2.2)
    base, courses = rng.colour(BRICK), rng.uniform(5.0, 9.0)
    golden, tip = rng.colour("f3c64a f4efe4 d9a86c"), height * rng.uniform(0.72, 0.9)

    def joints(p: Vector) -> Mask:
        return _fraction(p.y / height * courses) < 0.22

    def capped(p: Vector) -> Mask:
        return np.asarray(p.y > tip)

    coats = [(joints, base * 0.6), (capped, golden)]
    return [PaintedSolid(pyramid(half, height), base, coats, gloss=0.05)]


def _tree(rng: RandomStream) -> list[PaintedSolid]:
    trunk, r = rng.uniform(0.8, 1.2), rng.uniform(0.6, 0.75)
    leaves, bark = rng.colour(LEAVES), rng.colour("7a5236 5d4030 8f7a66")
    lean = rng.uniform(-0.15, 0.15)

    def dappled(p: Vector) -> Mask:
        return _spots(p, 0.36, 0.4)

    def clump(x: Number, y: Number, z: Number, size: Number) -> PaintedSolid:
        radii = Vector(r * size, r * size * 0.88, r * size)
        solid = Ellipsoid(Vector(x, trunk + y, z), radii)
        return PaintedSolid(solid, leaves, [(dappled, leaves * 0.6)], gloss=0.03)

    low = [
        clump(sign * r * 0.62, rng.uniform(0.1, 0.35), -sign * r * 0.3, rng.uniform(0.75, 1.0))
        for sign in (-1.0, 1.0)
    ]
    stem = Frustum(0.0, 0.0, 0.0, trunk + 0.3, rng.uniform(0.16, 0.24), 0.12)
    top = clump(lean, rng.uniform(0.65, 0.85), 0.0, rng.uniform(0.85, 1.05))
    return [PaintedSolid(stem, bark), *low, top, clump(0.0, 0.15, r * 0.5, 0.9)]


def _house(rng: RandomStream) -> list[PaintedSolid]:
    half, depth, eaves = rng.uniform(0.85, 1.1), rng.uniform(0.8, 1.1), rng.uniform(0.95, 1.3)
    ridge = eaves + rng.uniform(0.75, 1.1)
    wall, roof, door = rng.colour(WALLS), rng.colour(ROOFS), rng.colour(TOYS)
    glass, at = rng.colour("35506b 4a6a80 f5d27a"), half * rng.uniform(-0.45, 0.1)
    low, high = eaves * 0.42, eaves * 0.8

    def doorway(p: Vector) -> Mask:
        return (p.z < 0.01 - depth) & (np.abs(p.x - at) < 0.2) & (p.y < eaves * 0.72)

    def windows(p: Vector) -> Mask:
        front = (p.z < 0.01 - depth) & (np.abs(p.x - at - half * 0.72) < 0.18)
        side = (np.abs(p.x) > half - 0.01) & (np.abs(np.abs(p.z) - depth * 0.45) < 0.17)
        return (front | side) & (p.y > low) & (p.y < high)

    walls = box(Vector(-half, 0.0, -depth), Vector(half, eaves, depth))
    gable_wall = gable(half, depth, eaves, ridge)
    cover = gable(half * 1.16, depth * 0.97, eaves - 0.06, ridge + 0.1)
    x = half * 0.5
    chimney = box(Vector(x - 0.13, eaves, 0.1), Vector(x + 0.13, ridge + 0.22, 0.36))
    return [
        PaintedSolid(walls, wall, [(doorway, door), (windows, glass)]),
        PaintedSolid(gable_wall, wall),
        PaintedSolid(cover, roof, [(lambda p: _fraction(p.y * 5.0) < 0.2, roof * 0.75)]),
        PaintedSolid(chimney, roof * 0.8),
    ]


def _mushroom(rng: RandomStream) -> list[PaintedSolid]:
    height, reach, dome = rng.uniform(1.2, 1.5), rng.uniform(0.95, 1.2), rng.uniform(0.55, 0.8)
    cap, cream = rng.colour(CAPS), rng.colour(f"{CREAM} f2e2bf efe6e0")
    r, spots = rng.uniform(0.26, 0.4), rng.uniform(0.3, 0.38) * ~rng.bernoulli(0.15)

    def pale(p: Vector) -> Mask:
        return _spots(p, 0.52, spots) | (p.y < height - dome * 0.3)

    stem = Frustum(0.0, 0.0, 0.0, height, r * 1.3, r)
    foot = Ellipsoid(Vector(0.0, 0.12, 0.0), Vector(r * 1.6, 0.26, r * 1.6))
    hood = Ellipsoid(Vector(0.0, height, 0.0), Vector(reach, dome, reach))
    return [
        PaintedSolid(stem, cream),
        PaintedSolid(foot, cream),
        PaintedSolid(hood, cap, [(pale, cream)], gloss=0.35),
    ]


def _snowman(rng: RandomStream) -> list[PaintedSolid]:
    a, b, c = rng.uniform(0.6, 0.72), rng.uniform(0.44, 0.5), rng.uniform(0.31, 0.37)
    snow, coal, hat = rng.colour(SNOW), rng.colour(COAL), rng.colour(f"{COAL} {TOYS}")
    waist, head = a * 1.8 + b * 0.75, a * 1.8 + b * 1.5 + c * 0.75
    brim = head + c * 0.72

    def dots(p: Vector) -> Mask:
        spaced = np.abs(_fraction(p.y / 0.26) - 0.5) * 0.26
        return (p.z < 0.0) & (p.x * p.x + spaced * spaced < 0.005) & (p.y < waist + b * 0.7)

    def eyes(p: Vector) -> Mask:
        x, y = np.abs(p.x) - c * 0.4, p.y - head - c * 0.22
        return (p.z < 0.0) & (x * x + y * y < 0.0042)

    nose = Ellipsoid(Vector(0.0, head - 0.02, -c * 1.15), Vector(0.075, 0.075, 0.3))
    crown = Frustum(0.0, 0.0, brim, brim + rng.uniform(0.3, 0.5), c * 0.72, c * 0.66)
    return [
        PaintedSolid(Ellipsoid(Vector(0.0, a * 0.9, 0.0), Vector(a, a, a)), snow),
        PaintedSolid(Ellipsoid(Vector(0.0, waist, 0.0), Vector(b, b, b)), snow, [(dots, coal)]),
        PaintedSolid(Ellipsoid(Vector(0.0, head, 0.0), Vector(c, c, c)), snow, [(eyes, coal)]),
        PaintedSolid(nose, rng.colour("f08a30")),
        PaintedSolid(Frustum(0.0, 0.0, brim, brim + 0.07, c * 1.15, c * 1.15), hat),
        PaintedSolid(crown, hat, [(lambda p: np.asarray(p.y < brim + 0.16), rng.colour(TOYS))]),
    ]


def _rocket(rng: RandomStream) -> list[PaintedSolid]:
    r, shoulder = rng.uniform(0.36, 0.46), rng.uniform(1.6, 1.9)
    tip = shoulder + rng.uniform(0.7, 1.0)
    body, accent = rng.colour("eef0f2 f4efe4 c9d3da f0dc98"), rng.colour(TOYS)
    glass, fin = rng.colour("35506b 5aa9c9"), rng.uniform(0.9, 1.05)
    base = 0.32

    def porthole(p: Vector) -> Mask:
        y = p.y - shoulder + 0.3
        return (p.z < 0.0) & (p.x * p.x + y * y < 0.035)

    def ring(p: Vector) -> Mask:
        return np.abs(p.y - base - 0.5) < 0.09

    def wing(side: float, along_x: bool) -> Polyhedron:
        def direction(out: float, up: float, across: float) -> Vector:
            return Vector(out * side, up, across) if along_x else Vector(across, up, out * side)

        flat = [Plane(direction(0.0, 0.0, s), 0.06) for s in (1.0, -1.0)]
        inner, outer = Plane(direction(-1.0, 0.0, 0.0), -0.1), Plane(direction(1.0, 0.0, 0.0), fin)
        slant = Plane(direction(1.1, 1.0, 0.0), 1.6)
        under = Plane(direction(-0.5, -1.0, 0.0), -0.45)
        return Polyhedron([*flat, inner, outer, slant, under])

    wings = [PaintedSolid(wing(s, x), accent) for s in (1.0, -1.0) for x in (True, False)]
    return [
        PaintedSolid(Frustum(0.0, 0.0, 0.1, base, r * 0.8, r * 0.5), rng.colour(COAL)),
        PaintedSolid(
            Frustum(0.0, 0.0, base, shoulder, r, r), body, [(ring, accent), (porthole, glass)], 0.4
        ),
        PaintedSolid(Frustum(0.0, 0.0, shoulder, tip, r, 0.03), accent, gloss=0.4),
        *wings,
    ]


def _fraction(x: Field) -> Field:
    return x - np.floor(x)


def _spots(p: Vector, cell: float, radius: Number) -> Mask:
    """Balls of `radius` cells at the points of a lattice whose odd layers are shifted by half."""
    layer = np.floor(p.y / cell + 0.5)
    shift = 0.5 * (layer - 2.0 * np.floor(layer * 0.5))
    x = _fraction(p.x / cell + shift + 0.5) - 0.5
    z = _fraction(p.z / cell + shift + 0.5) - 0.5
    y = p.y / cell - layer
    return x * x + y * y + z * z < radius * radius


KINDS: dict[str, Callable[[RandomStream], list[PaintedSolid]]] = {
    "ball": _ball,
    "box": _box,
    "cone": _cone,
    "gate": _gate,
    "pyramid": _pyramid,
    "tree": _tree,
    "house": _house,
    "mushroom": _mushroom,
    "snowman": _snowman,
    "rocket": _rocket,
}
