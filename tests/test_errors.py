"""Hold every error to its place in the tree and to its exit code."""

from __future__ import annotations

import inspect

from pi_mask import errors


def test_every_error_has_its_place_and_exit_code() -> None:
    """Each class, its parent and its exit code are those of the tree in the module's docstring."""
    classes = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    ]

    tree = {kind.__name__: (kind.__mro__[1].__name__, kind.exit_code) for kind in classes}

    assert tree == {
        "PiMaskError": ("Exception", 1),
        "UsageError": ("PiMaskError", 2),
        "SettingsError": ("UsageError", 2),
        "InputError": ("PiMaskError", 1),
        "OutputError": ("PiMaskError", 1),
        "HardwareMissingError": ("PiMaskError", 3),
        "CameraError": ("HardwareMissingError", 3),
        "CameraTimeout": ("CameraError", 3),
        "EdgeTpuError": ("HardwareMissingError", 3),
        "GpioError": ("HardwareMissingError", 3),
        "ModelError": ("PiMaskError", 4),
    }
    assert errors.__doc__ is not None
    assert [name for name in tree if name not in errors.__doc__] == []


def test_an_error_is_told_with_what_it_came_on_top_of() -> None:
    """Errors that hid each other are told in the order in which they came; others' errors are left out."""
    first, last = errors.CameraError("First."), errors.GpioError("Last.")
    between = OSError(5, "Input/output error")
    last.__cause__, between.__context__ = between, first

    assert errors.messages(last) == ["First.", "Last."]
    assert errors.messages(between) == ["First."]


def test_an_error_raised_from_none_is_told_alone() -> None:
    """Who raises it so has said in it what there is to say."""
    told = errors.ModelError("All of it.")
    told.__context__, told.__suppress_context__ = errors.InputError("A part."), True

    assert errors.messages(told) == ["All of it."]
