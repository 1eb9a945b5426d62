"""The one decorator of compiled functions, and where their machine code is kept.

The first of these folders that can be written: NUMBA_CACHE_DIR, `__pycache__` beside the module, the user's cache
folder, a folder of this user's in the temporary one. Where none can, or a kept file is damaged, the process compiles
for itself: an installation that cannot be written costs time, never an answer.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numba import config, njit
from numba.core import caching, sigutils
from numba.core.ccallback import CFunc

_Function = TypeVar("_Function", bound=Callable[..., object])
_Value = TypeVar("_Value", bound=np.generic)
_PACKAGE = Path(__file__).parent


def kernel(function: _Function) -> _Function:
    """Compile a function that Python calls, on its first call; the code is kept for later processes."""
    compiled = njit(nogil=True, no_cfunc_wrapper=True)(function)
    with suppress(RuntimeError):  # numba's word for: no folder can be written
        compiled._cache = _Cache(function)
    return cast(_Function, compiled)


def part(function: _Function) -> _Function:
    """Compile a function that only kernels call; it is kept within them."""
    return cast(_Function, njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(function))


def callback(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function of that type, at once, that kernels are handed and call; it may not allocate."""

    def made(function: Callable[..., Any]) -> Any:
        compiled: Any = CFunc(function, sigutils.normalize_signature(signature), {}, {"_nrt": False})
        with suppress(RuntimeError):  # as above
            compiled._cache = _Cache(function)
        compiled.compile()
        return compiled

    return made


def table(shape: int | tuple[int, ...], lines: np.dtype[Any], fill: Callable[..., Any] = np.empty) -> Any:
    """Room for lines of a structured type, as kernels read and write them.

    Where compilation is switched off (NUMBA_DISABLE_JIT=1), a line gives its fields as attributes too, as in compiled
    code.
    """
    made = fill(shape, lines)
    return made.view(np.recarray) if config.DISABLE_JIT else made


def fixed(values: np.ndarray[Any, np.dtype[_Value]]) -> np.ndarray[Any, np.dtype[_Value]]:
    """A read-only view in one piece: a kernel that is handed those alone is compiled for one kind of array."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def to_compile(compiled: Callable[..., object]) -> bool:
    """Whether a kernel has no kept code yet, and some can be kept."""
    kept = getattr(compiled, "_cache", None)
    return isinstance(kept, _Cache) and not kept.filled


class _SourceStamp:
    """Kept code is that of every module of the room: a kernel holds the parts it calls, which stand in other files."""

    _py_file: str

    def get_source_stamp(self) -> bytes:
        return _stamp(Path(self._py_file))


class _Named(_SourceStamp, caching.UserProvidedCacheLocator):  # type: ignore[misc]  # numba ships no types
    pass


class _Beside(_SourceStamp, caching.InTreeCacheLocator):  # type: ignore[misc]
    pass


class _OfUser(_SourceStamp, caching.UserWideCacheLocator):  # type: ignore[misc]
    pass


class _Temporary(_SourceStamp, caching.UserWideCacheLocator):  # type: ignore[misc]
    """A folder in the temporary one that nobody but this user can write: kept code is run."""

    def __init__(self, function: Callable[..., object], file: str) -> None:
        super().__init__(function, file)
        self._home = Path(tempfile.gettempdir()) / f"ctl-kernels-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        self._cache_path = str(self._home / self.get_suitable_cache_subpath(file))

    def ensure_cache_path(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        found = self._home.lstat()
        foreign = hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077)
        if foreign or not stat.S_ISDIR(found.st_mode):
            raise PermissionError(f"{self._home} is not this user's alone")
        super().ensure_cache_path()


class _Kept(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Named, _Beside, _OfUser, _Temporary]  # noqa: RUF012 - numba's own attribute


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Kept

    @property
    def filled(self) -> bool:
        """Whether code of this source is kept, for some types and some machine."""
        return bool(self._cache_file._load_index())

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Kept code, or None: what cannot be read (cut off, of another version) is compiled anew."""
        try:
            return super().load_overload(signature, context)
        except Exception:  # noqa: BLE001 - unpickling damaged bytes raises anything
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep code; a full or closed disk leaves it to the next process, a damaged index is begun anew."""
        with suppress(OSError):
            try:
                super().save_overload(signature, data)
            except OSError:
                raise
            except Exception:  # noqa: BLE001 - as above
                self.flush()
                super().save_overload(signature, data)


@cache
def _stamp(file: Path) -> bytes:
    """Digest of the sources of the room (the package's folder) that a module belongs to."""
    inside = file.relative_to(_PACKAGE).parts if file.is_relative_to(_PACKAGE) else ()
    sources = sorted((_PACKAGE / inside[0]).rglob("*.py")) if len(inside) > 1 else [file]
    return hashlib.sha256(b"".join(source.read_bytes() for source in (Path(__file__), *sources))).digest()
