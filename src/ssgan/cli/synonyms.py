"""Words that other programs use for our verbs and options: one table leads each of them home.

A target that is one word means exactly the same and is taken in its place. A sentence is a hint,
which ends the command.
"""

_STEP = "a step is one generator update"
_STEPS = f"{_STEP}: --total_steps N"
_DEVICE = "name the device: --device cuda, or --device cuda:1 for the second GPU"
_SETTINGS = "settings of every run follow a lone --, such as: -- --total_steps 3000"
_TASKS = "--iterations-per-task N and --cycles N say how long it learns"

VERBS = {
    "generate": "`ssgan sample RUN` generates images",
    "resume": "`ssgan train RUN` continues a run",
    "continue": "`ssgan train RUN` continues a run",
    "fid": "`ssgan evaluate RUN --against IMAGES` computes the FID",
    "eval": "`ssgan evaluate RUN --against IMAGES` measures samples",
    "plot": "`ssgan show RUN --curves FILE.png` draws a run's curves",
    "prepare": "`ssgan data prepare SOURCE` prepares images",
    "export": "nothing exports weights yet; `ssgan sample RUN` writes images, `ssgan features RUN` "
    "the features of D, and RUN/checkpoints holds the weights",
}
OPTIONS = {
    "train": {
        "--steps": "--total_steps",
        "--batch": "--batch_size",
        "--batch-size": "--batch_size",
        "--size": "--data.image_size",
        "--epochs": f"training counts steps, and {_STEPS}",
        "--iterations": f"training counts steps, and {_STEPS}",
        "--lr": "each network has its own: --generator_optimizer.learning_rate X and "
        "--discriminator_optimizer.learning_rate X",
        "--gpu": _DEVICE,
    },
    "sample": {
        "--gpu": _DEVICE,
        "--size": "images have the size that the run was trained at",
        "--batch": "--n N is the number of images",
    },
    "evaluate": {"--gpu": _DEVICE, "--batch-size": "--batch", "--steps": "--step N is one state"},
    "probe": {"--gpu": _DEVICE, "--lr": "the solver sets its steps; --l2 X is the penalty"},
    "features": {"--gpu": _DEVICE, "--steps": "--step N is one state"},
    "forget": {
        "--gpu": _DEVICE,
        "--batch-size": "--batch",
        "--steps": _TASKS,
        "--epochs": _TASKS,
        "--iterations": _TASKS,
        "--asked": "--test-images",  # its name in older versions
    },
    "study": {
        "--gpu": "settings of every run follow a lone --, such as: -- --device cuda",
        **dict.fromkeys(
            ("--steps", "--epochs", "--iterations", "--lr", "--batch", "--size"),
            f"{_SETTINGS} ({_STEP})",
        ),
        "--arms": "--variants",  # its name in older versions
    },
}


def find_synonym(verb: str, name: str) -> tuple[str | None, str | None]:
    """The option that a word means, or a hint; None for each where there is none."""
    target = OPTIONS.get(verb, {}).get(name)
    if target is None or " " in target:
        return None, target
    return target, None
