"""The spelling of flags: words are joined by hyphens; underscores are accepted too."""

from collections.abc import Container, Sequence


def hyphens(args: Sequence[str]) -> list[str]:
    """Spell flags with hyphens; flags with a dot are paths in a configuration and stay unchanged.

    >>> hyphens(["--first_rung", "3", "--max_missing=0.1", "--data.max_missing", "a_b"])
    ['--first-rung', '3', '--max-missing=0.1', '--data.max_missing', 'a_b']
    """
    return [_flag(arg, "_", "-") if arg.startswith("--") and "." not in arg.partition("=")[0] else arg for arg in args]


def underscores(args: Sequence[str], names: Container[str] = ()) -> list[str]:
    """Spell flags and paths of settings with underscores, as in a configuration.

    Args:
        args: the arguments as typed.
        names: names in the configuration that have hyphens, such as a loss called `far-apart`; they stay unchanged.

    >>> underscores(["--ckpt-path", "last", "--trainer.max-epochs=3", "--model.losses.far-apart.weight"], {"far-apart"})
    ['--ckpt_path', 'last', '--trainer.max_epochs=3', '--model.losses.far-apart.weight']
    """
    return [_flag(arg, "-", "_", names) if arg.startswith("--") else arg for arg in args]


def _flag(arg: str, old: str, new: str, names: Container[str] = ()) -> str:
    flag, equals, value = arg[2:].partition("=")
    parts = [part if part in names else part.replace(old, new) for part in flag.split(".")]
    return "--" + ".".join(parts) + equals + value
