"""Reading a long LMDB value from the disk in one piece, instead of page by page as it is touched.

What the kernel reads ahead by itself suits nobody here: too little where its setting is small, megabytes of other
people's voices where it is great. So the environment asks for none, and this asks for exactly one value.
LMDB does not say where a value lies; its file format (0.9, unchanged since 2011; mdb.c: MDB_node, MDB_page) does.
"""

import ctypes
import os
import struct

import numpy as np

_NODE = struct.Struct("<IHH")  # before the key: size of the value, flags, size of the key
_IN_OTHER_PAGES = 1  # F_BIGDATA: after the key stands the number of the first page, instead of the value
_PAGE_NUMBER = struct.Struct("<Q")  # also the first thing in every page
_PAGE_HEADER_BYTES = 16
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")  # LMDB's pages are as large
_WILLNEED = 3  # MADV_WILLNEED of madvise(2): an advice, which cannot do harm, and may fail
_LIBC = ctypes.CDLL(None)


def read_ahead(key: memoryview) -> None:
    """Have the kernel read the value of `key` (as a cursor gives it in a read transaction) in one go."""
    start = np.frombuffer(key, np.uint8).ctypes.data
    value_bytes, flags, _ = _NODE.unpack(ctypes.string_at(start - _NODE.size, _NODE.size))
    if not flags & _IN_OTHER_PAGES:
        return
    page = start - start % _PAGE_BYTES
    (here,) = _PAGE_NUMBER.unpack(ctypes.string_at(page, _PAGE_NUMBER.size))
    (there,) = _PAGE_NUMBER.unpack(ctypes.string_at(start + len(key), _PAGE_NUMBER.size))
    value = page + (there - here) * _PAGE_BYTES
    _LIBC.madvise(ctypes.c_void_p(value), ctypes.c_size_t(_PAGE_HEADER_BYTES + value_bytes), _WILLNEED)
