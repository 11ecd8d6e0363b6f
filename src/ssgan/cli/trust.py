"""`--trust MODULE`: settings of classes outside ssgan may be read, as their module is named."""

from ssgan.cli.arguments import Options
from ssgan.recipes.find import import_user_module


def trusted_modules(options: Options) -> tuple[str, ...]:
    """The modules of `--trust`, imported: reading a stored config imports nothing by itself.

    Raises UserError for a module that cannot be imported.
    """
    names = tuple(name for name in (options.get("trust") or "").split(",") if name)
    for name in names:
        import_user_module(name, f"--trust {name}")
    return names
