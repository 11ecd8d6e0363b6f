"""Faults in the code of images (A) and settings (B)."""

from tests.scorecard.promise import Mutant

_LISTED = 'NOT_LEARNT = ("output", "evaluate", "device", "activation_checkpointing", "shard_state")'

INPUT_FAULTS: dict[str, tuple[Mutant, ...]] = {
    "A1": (
        Mutant(
            "data/assemble.py",
            "            chunk.rejected.append(result)\n            continue",
            "            continue",
        ),
        Mutant(
            "data/preprocessing.py",
            "    image.load()\n    transpose, warning",
            "    ImageFile.LOAD_TRUNCATED_IMAGES = True\n    image.load()\n    transpose, warning",
        ),
        Mutant("data/prepare.py", "    if strict and rejected:", "    if strict and not dataset:"),
    ),
    "A2": (
        Mutant(
            "data/preprocessing.py",
            "    except Exception as error:\n"
            "        return Rejected(name, describe_failure(error))",
            "    except (OSError, UnusableError) as error:\n"
            "        return Rejected(name, describe_failure(error))",
        ),
        Mutant(
            "data/image_files.py",
            "        except Exception as error:\n"
            "            return Rejected(self.item(number), self._describe_unread(error))",
            "        except UserError as error:\n"
            "            return Rejected(self.item(number), self._describe_unread(error))",
        ),
    ),
    "A3": (
        Mutant(
            "data/decoding/colours.py",
            "((values * 255 + span // 2) // span)",
            "((values * 255 + span // 2) // (span // 2)).clip(0, 255)",
        ),
        Mutant(
            "data/preprocessing.py",
            "    ground.paste(picture, mask=alpha)\n",
            "    ground.paste(picture)\n",
        ),
        Mutant(
            "data/decoding/colours.py",
            "            values = span - values\n",
            "            pass\n",
        ),
        Mutant(
            "data/decoding/profiles.py",
            "(plain if transform is None else transform.apply(stored))",
            "plain",
        ),
    ),
    "A4": (
        Mutant(
            "data/preprocessing.py",
            'return (None, "") if tag == 1 else (UPRIGHT[tag], "")',
            'return (None, "") if tag in (1, 7) else (UPRIGHT[tag], "")',
        ),
        Mutant(
            "data/preprocessing.py",
            "    return _transpose_image(picture, transpose), warnings",
            "    return picture, warnings",
        ),
        Mutant(
            "data/preprocessing.py",
            "    except Exception:\n        return None, BAD_ORIENTATION",
            '    except Exception:\n        return None, ""',
        ),
    ),
    "A5": (
        Mutant(
            "data/preprocessing.py",
            "    if width * height > MAX_PIXELS:",
            "    if image.load() and width * height > MAX_PIXELS:",
        ),
        Mutant("data/preprocessing.py", "MAX_PIXELS = 100_000_000", "MAX_PIXELS = 10_000_000_000"),
    ),
    "A7": (
        Mutant(
            "data/folder.py",
            "        if not path.is_dir():",
            "        if path.is_symlink():",
        ),
        Mutant(
            "data/folder.py",
            "        except PermissionError:\n            raise UserError(",
            "        except BlockingIOError:\n            raise UserError(",
        ),
        Mutant(
            "data/folder.py",
            "        if all(item.reject for item in listing.found):",
            "        if listing is None:",
        ),
    ),
    "A8": (
        Mutant(
            "training/validation.py",
            "    if len(dataset) < config.batch_size:",
            "    if len(dataset) < 1:",
        ),
        Mutant(
            "training/validation.py",
            "    if config.evaluate.every and num_images < 2:",
            "    if config.evaluate.every and num_images < 1:",
        ),
    ),
    "A9": (
        Mutant(
            "data/scan.py",
            "        if status.st_ino not in self.files[status.st_dev]:\n",
            "        if True:\n",
        ),
        Mutant(
            "data/scan.py",
            "                if (status.st_dev, status.st_ino) in self.folders:",
            "                if name.count(b'/') > 12:",
        ),
    ),
    "A10": (
        Mutant(
            "files/names.py",
            '    return "".join(_printable(c) for c in text)',
            "    return text",
        ),
        Mutant(
            "data/scan.py",
            "_readable_ending(os.path.splitext(name)[1].lower())",
            "_readable_ending(os.path.splitext(name)[1])",
        ),
    ),
    "A12": (
        Mutant(
            "data/class_folders.py",
            "    if any(_first(item) is None for item in usable):",
            "    if all(_first(item) is None for item in usable):",
        ),
        Mutant(
            "data/class_folders.py",
            "    if deep and len(within) > 1:",
            "    if deep and len(within) > 99:",
        ),
        Mutant(
            "training/validation.py",
            "    method, source = type(config.method).__name__, config.data.source\n"
            "    if num_classes < 2:",
            "    method, source = type(config.method).__name__, config.data.source\n"
            "    if num_classes < 1:",
        ),
    ),
    "A13": (
        Mutant("data/scan.py", "key=lambda item: item.name)", "key=lambda item: item.changed)"),
        Mutant(
            "data/assemble.py",
            "            tally.digest.update(chunk.pixels.data)\n",
            "            tally.digest.update(chunk.pixels.data)\n"
            "            tally.digest.update(job.source.name().encode())\n",
        ),
    ),
    "A14": (
        Mutant(
            "training/resume.py",
            "    if saved.data_hash == dataset.content_hash:",
            "    if len(saved.data_hash) == len(dataset.content_hash):",
        ),
        Mutant(
            "data/folder.py",
            '            digest.update(f"{item.size} {item.modified} {item.changed} ',
            '            digest.update(f"{item.size} ',
        ),
        Mutant(
            "data/assemble.py",
            "            tally.digest.update(chunk.pixels.data)\n",
            "            tally.digest.update(str(chunk.pixels.shape).encode())\n",
        ),
    ),
    "A15": (
        Mutant("ops/rotation.py", "images.rot90(r, dims=(2, 3))", "images.rot90(-r, dims=(2, 3))"),
        Mutant(
            "ops/rotation.py",
            "torch.arange(NUM_ROTATIONS, device=device).repeat_interleave(count)",
            "torch.arange(NUM_ROTATIONS, device=device).repeat(count)",
        ),
        Mutant(
            "ops/rotation.py",
            "images.rot90(r, dims=(2, 3))",
            "images.rot90(r, dims=(2, 3)).flip(3)",
        ),
    ),
    "B1": (
        Mutant(
            "config/schema.py",
            "near = [self.child(other).path for other in nearest(name, names)]",
            "near = nearest(name, names)",
        ),
        Mutant(
            "config/nearest.py",
            "            if i and j and x == b[j - 1] and a[i - 1] == y:",
            "            if False:",
        ),
    ),
    "B2": (
        Mutant(
            "config/schema.py",
            "config = ConfigDict(strict=True, allow_inf_nan=False,",
            "config = ConfigDict(strict=False, allow_inf_nan=True,",
        ),
        Mutant(
            "config/schema.py",
            "    except (TypeError, ValueError, RecursionError):\n        raise place.error(",
            "    except TypeError:\n        raise place.error(",
        ),
        Mutant("config/schema.py", "    if value > largest:", "    if value > 2**200:"),
    ),
    "B3": (
        Mutant(
            "config/merge.py",
            "object_pairs_hook=unique, parse_constant=refuse",
            "parse_constant=refuse",
        ),
        Mutant(
            "config/merge.py",
            '        table = tomllib.loads(f"x = {number}")',
            '        table = tomllib.loads(f"x = {number}".replace("e-", "_"))',
        ),
        Mutant(
            "config/merge.py",
            '        raise UserError(f"{flag} is given twice")',
            "        pass",
        ),
    ),
    "B4": (
        Mutant(
            "config/serialize.py",
            "        if name not in skipped or one != skipped[name]",
            "        if one != defaults(type(value)).get(name, value)",
        ),
        Mutant(
            "config/serialize.py",
            "    if value is None or isinstance(value, bool | int | float | str):\n"
            "        return value",
            "    if isinstance(value, float):\n        return round(value, 6)\n"
            "    if value is None or isinstance(value, bool | int | float | str):\n"
            "        return value",
        ),
    ),
    "B5": (
        *(
            Mutant("training/resume.py", _LISTED, f'{_LISTED[:-1]}, "{setting}")')
            for setting in (
                "power_iterations",
                "ema_start_step",
                "discriminator_optimizer",
                "learning_rate_decay",
                "seed",
            )
        ),
        Mutant(
            "training/resume.py",
            'config.learning_rate_decay == "none" and not config.method.changes',
            'config.learning_rate_decay == "none"',
        ),
    ),
}
