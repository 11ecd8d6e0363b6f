"""Rays and the three solids of which the objects of `scenes` consist.

Every quantity broadcasts to [N, H, W]: N pictures of H x W rays. y is up, the ground is y = 0, a
unit is about half an object. Pixels use sums, products, quotients and roots only, whose bits
depend neither on the machine nor on the grouping of pictures.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Field: TypeAlias = Any  # a float32 array or scalar that broadcasts to [N, H, W]
Number: TypeAlias = Field | float  # a Field, or one number for all

MISS = 1e9  # the distance of a ray that hits nothing
NEAR = 1e-3  # a nearer hit is the surface from which the ray starts


class Vector(NamedTuple):
    """A point or a direction for each ray."""

    x: Number
    y: Number
    z: Number

    def dot(self, other: "Vector") -> Field:
        """The inner product; components that are the number 0 cost nothing."""
        pairs = [(a, b) for a, b in zip(self, other, strict=True) if not _zero(a) and not _zero(b)]
        return np.asarray(reduce(operator.add, (a * b for a, b in pairs)))

    def plus(self, other: "Vector", scale: Number = 1.0) -> "Vector":
        """The sum of this and `scale` times the other."""
        return Vector(*(a + scale * b for a, b in zip(self, other, strict=True)))

    def unit(self) -> "Vector":
        """This direction with length 1."""
        inverse = 1.0 / np.sqrt(self.dot(self) + 1e-12)
        return Vector(*(a * inverse for a in self))


class Rays(NamedTuple):
    """Points `origin + t * direction`; directions need not have length 1."""

    origin: Vector
    direction: Vector

    def at(self, t: Field) -> Vector:
        """The points at distance `t`."""
        return self.origin.plus(self.direction, t)


class Solid(ABC):
    """A convex body."""

    @abstractmethod
    def distance(self, rays: Rays) -> Field:
        """The smallest t > NEAR at which a ray from outside meets the surface, or MISS."""

    @abstractmethod
    def normal(self, point: Vector) -> Vector:
        """The outward normal at points of the surface; its length is not 1."""


@dataclass(frozen=True)
class Ellipsoid(Solid):
    """A sphere stretched along the axes."""

    centre: Vector
    radii: Vector

    def distance(self, rays: Rays) -> Field:
        """The nearer root of a quadratic."""
        o = Vector(*(self._divide_by_radii(rays.origin.plus(self.centre, -1.0))))
        d = self._divide_by_radii(rays.direction)
        a, b, c = d.dot(d), o.dot(d), o.dot(o) - 1.0
        root = b * b - a * c
        t = -(b + np.sqrt(np.maximum(root, 0.0))) / a
        return np.where((root > 0.0) & (t > NEAR), t, MISS)

    def normal(self, point: Vector) -> Vector:
        """The gradient of the quadric."""
        return self._divide_by_radii(self._divide_by_radii(point.plus(self.centre, -1.0)))

    def _divide_by_radii(self, v: Vector) -> Vector:
        return Vector(v.x / self.radii.x, v.y / self.radii.y, v.z / self.radii.z)


@dataclass(frozen=True)
class Frustum(Solid):
    """A capped cylinder or cone around a vertical axis."""

    x: Number  # position of the axis
    z: Number
    bottom: Number  # height of the lower cap
    top: Number  # height of the upper cap
    radius_bottom: Number
    radius_top: Number  # 0 is a pointed cone

    @property
    def slope(self) -> Number:
        """Growth of the radius with height."""
        return (self.radius_top - self.radius_bottom) / (self.top - self.bottom)

    def distance(self, rays: Rays) -> Field:
        """The nearest of two roots on the mantle and two caps."""
        o = rays.origin.plus(Vector(self.x, self.bottom, self.z), -1.0)
        d, k = rays.direction, self.slope
        reach = self.radius_bottom + k * o.y  # the cone's radius at the height of the origin
        a = _not_zero(d.x * d.x + d.z * d.z - k * k * d.y * d.y)
        b = o.x * d.x + o.z * d.z - k * reach * d.y
        root = b * b - a * (o.x * o.x + o.z * o.z - reach * reach)
        width = np.sqrt(np.maximum(root, 0.0))
        height = self.top - self.bottom
        best: Field = np.full_like(root, MISS)
        for side in (-1.0, 1.0):
            t = (side * width - b) / a
            y = o.y + t * d.y
            good = (root > 0.0) & (t > NEAR) & (y > 0.0) & (y < height)
            best = np.where(good, np.minimum(best, t), best)
        for y, radius in ((0.0, self.radius_bottom), (height, self.radius_top)):
            t = (y - o.y) / _not_zero(np.asarray(d.y))
            x, z = o.x + t * d.x, o.z + t * d.z
            good = (t > NEAR) & (x * x + z * z < radius * radius)
            best = np.where(good, np.minimum(best, t), best)
        return best

    def normal(self, point: Vector) -> Vector:
        """Up or down at the caps, along the gradient on the mantle."""
        x, z = point.x - self.x, point.z - self.z
        k = self.slope
        side = -k * (self.radius_bottom + k * (point.y - self.bottom))
        side = np.where(point.y > self.top - 1e-3, 100.0, side)
        return Vector(x, np.where(point.y < self.bottom + 1e-3, -100.0, side), z)


class Plane(NamedTuple):
    """The half-space where `normal . point <= offset`."""

    normal: Vector
    offset: Number


@dataclass(frozen=True)
class Polyhedron(Solid):
    """The intersection of half-spaces."""

    planes: Sequence[Plane]

    def distance(self, rays: Rays) -> Field:
        """The entry into the last half-space, if it precedes the exit from the first."""
        enter: Field = np.float32(NEAR)
        leave: Field = np.float32(MISS)
        for normal, offset in self.planes:
            speed = _not_zero(normal.dot(rays.direction))
            t = (offset - normal.dot(rays.origin)) / speed
            enter = np.maximum(enter, np.where(speed < 0.0, t, -MISS))
            leave = np.minimum(leave, np.where(speed > 0.0, t, MISS))
        return np.where((enter < leave) & (enter > NEAR), enter, MISS)

    def normal(self, point: Vector) -> Vector:
        """The normal of the plane nearest to a point."""
        best: Field = np.float32(-MISS)
        x = y = z = np.asarray(np.float32(0.0))
        for normal, offset in self.planes:
            depth = normal.dot(point) - offset
            here = depth > best
            best = np.where(here, depth, best)
            x, y, z = (np.where(here, n, o) for n, o in zip(normal, (x, y, z), strict=True))
        return Vector(x, y, z)


def box(low: Vector, high: Vector) -> Polyhedron:
    """A box along the axes, by two opposite corners."""
    axes = (Vector(1.0, 0.0, 0.0), Vector(0.0, 1.0, 0.0), Vector(0.0, 0.0, 1.0))
    planes = [Plane(axis, c) for axis, c in zip(axes, high, strict=True)]
    planes += [Plane(_opposite(a), -c) for a, c in zip(axes, low, strict=True)]
    return Polyhedron(planes)


def pyramid(half: Number, height: Number) -> Polyhedron:
    """A pyramid on the ground with a square base of side 2 * half."""
    k = half / height
    sides = [Vector(1.0, k, 0.0), Vector(-1.0, k, 0.0), Vector(0.0, k, 1.0), Vector(0.0, k, -1.0)]
    return Polyhedron([*(Plane(side, half) for side in sides), Plane(Vector(0.0, -1.0, 0.0), 0.0)])


def gable(half: Number, depth: Number, eaves: Number, ridge: Number) -> Polyhedron:
    """A roof from x = -half to half, z = -depth to depth, whose ridge runs along z."""
    k = half / (ridge - eaves)
    slopes = [Plane(Vector(s, k, 0.0), half + k * eaves) for s in (1.0, -1.0)]
    ends = [Plane(Vector(0.0, 0.0, s), depth) for s in (1.0, -1.0)]
    return Polyhedron([*slopes, *ends, Plane(Vector(0.0, -1.0, 0.0), -eaves)])


def _opposite(v: Vector) -> Vector:
    return Vector(*(0.0 if _zero(a) else -a for a in v))


def _zero(a: Number) -> bool:
    return isinstance(a, float) and a == 0.0


def _not_zero(a: Field) -> Field:
    return np.where(np.abs(a) < 1e-6, np.float32(1e-6), a)
