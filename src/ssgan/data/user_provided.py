"""Images that only you can get: what a recipe names until --data does."""

from dataclasses import dataclass

from ssgan.data.base import AbstractCollection, AbstractSource
from ssgan.types import UserError


@dataclass(frozen=True)
class UserProvided(AbstractSource):
    """A stand-in for a data set that is not downloaded here, by its licence or its size."""

    what: str  # the images and how they lie, as in "ImageNet's training images, ..."

    def open(self) -> AbstractCollection:
        """Raises UserError, which says what to give."""
        raise UserError(
            f"this recipe is for {self.what}, which it cannot download: give your copy with "
            "--data folder:PATH (or hub:ID#SPLIT)"
        )

    def name(self) -> str:
        """What is to be given: there is no form on the command line."""
        return self.what
