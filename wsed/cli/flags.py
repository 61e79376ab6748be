"""One dialect of flags: words are joined by hyphens; underscores are accepted everywhere."""

from collections.abc import Container, Sequence


def hyphens(args: Sequence[str]) -> list[str]:
    """Flags with hyphens; what has a dot is a path in a configuration, and stays as it is.

    >>> hyphens(["--first_rung", "3", "--max_missing=0.1", "--data.max_missing", "a_b"])
    ['--first-rung', '3', '--max-missing=0.1', '--data.max_missing', 'a_b']
    """
    return [_flag(arg, "_", "-") if arg.startswith("--") and "." not in arg.partition("=")[0] else arg for arg in args]


def underscores(args: Sequence[str], names: Container[str] = ()) -> list[str]:
    """Flags and paths of settings as a configuration spells them, with underscores.

    Args:
        args: as typed.
        names: names in a configuration that do have hyphens, as a loss called `far-apart`, and keep them.

    >>> underscores(["--ckpt-path", "last", "--trainer.max-epochs=3", "--model.losses.far-apart.weight"], {"far-apart"})
    ['--ckpt_path', 'last', '--trainer.max_epochs=3', '--model.losses.far-apart.weight']
    """
    return [_flag(arg, "-", "_", names) if arg.startswith("--") else arg for arg in args]


def _flag(arg: str, old: str, new: str, names: Container[str] = ()) -> str:
    flag, equals, value = arg[2:].partition("=")
    parts = [part if part in names else part.replace(old, new) for part in flag.split(".")]
    return "--" + ".".join(parts) + equals + value
