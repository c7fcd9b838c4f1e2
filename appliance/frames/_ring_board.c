/* The board: one blob that one process rewrites and anyone reads. */
#include "_ring_objects.h"

/* Two copies, written in turn: a writer killed in the middle leaves the other one whole. */
struct board_half {
    _Alignas(CACHE_LINE) _Atomic uint64_t lock; /* 2v + 1 while version v is being written, 2v + 2 once it is whole */
    uint64_t length;
};

struct board {
    _Alignas(CACHE_LINE) uint64_t magic;
    uint64_t capacity;
    _Alignas(CACHE_LINE) _Atomic uint64_t version;
    _Alignas(CACHE_LINE) uint8_t halves[];
};

#define BOARD_MAGIC UINT64_C(0x647261622d6d7264) /* "drm-bard" */
#define BOARD_LIMIT (UINT64_C(1) << 30)
#define BOARD_TRIES 1000 /* a board this unlucky is damaged */

typedef struct {
    PyObject_HEAD
    Py_buffer memory;
    struct board *board;
    uint64_t capacity;
} BoardObject;

static size_t half_size(uint64_t capacity)
{
    return sizeof(struct board_half) + (capacity + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static Py_ssize_t board_size(uint64_t capacity)
{
    if (capacity && capacity <= BOARD_LIMIT)
        return (Py_ssize_t)(sizeof(struct board) + 2 * half_size(capacity));
    PyErr_Format(PyExc_ValueError, "a board holds 1 to %llu bytes, not %llu", (unsigned long long)BOARD_LIMIT,
                 (unsigned long long)capacity);
    return -1;
}

static struct board_half *board_half(const BoardObject *self, uint64_t version)
{
    return (struct board_half *)(self->board->halves + (version & 1) * half_size(self->capacity));
}

static PyObject *board_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"memory", "offset", NULL};
    PyObject *memory;
    Py_ssize_t offset, size = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On:Board", names, &memory, &offset))
        return NULL;
    BoardObject *self = (BoardObject *)type->tp_alloc(type, 0);
    if (self && (self->board = hold(memory, offset, sizeof(struct board), &self->memory))) {
        self->capacity = self->board->capacity;
        if (self->board->magic != BOARD_MAGIC)
            PyErr_Format(PyExc_ValueError, "there is no board at offset %zd; format_board makes one", offset);
        else if ((size = board_size(self->capacity)) > self->memory.len - offset)
            PyErr_Format(PyExc_ValueError, "the board at offset %zd does not fit its memory", offset);
        if (size > 0 && !PyErr_Occurred())
            return (PyObject *)self;
    }
    Py_XDECREF(self);
    return NULL;
}

static void board_dealloc(BoardObject *self)
{
    PyBuffer_Release(&self->memory);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *board_write(BoardObject *self, PyObject *blob)
{
    Py_buffer view;
    if (PyObject_GetBuffer(blob, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if ((uint64_t)view.len > self->capacity) {
        PyErr_Format(PyExc_ValueError, "the board holds at most %llu bytes, not %zd",
                     (unsigned long long)self->capacity, view.len);
        PyBuffer_Release(&view);
        return NULL;
    }
    uint64_t version = atomic_load_explicit(&self->board->version, memory_order_relaxed) + 1;
    struct board_half *half = board_half(self, version);
    atomic_store_explicit(&half->lock, 2 * version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    half->length = (uint64_t)view.len;
    memcpy(half + 1, view.buf, (size_t)view.len);
    atomic_store_explicit(&half->lock, 2 * version + 2, memory_order_release);
    atomic_store_explicit(&self->board->version, version, memory_order_release);
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLongLong(version);
}

/* A copy of `version`, or None when a newer one was written over it meanwhile. */
static PyObject *board_copy(const BoardObject *self, uint64_t version)
{
    struct board_half *half = board_half(self, version);
    if (atomic_load_explicit(&half->lock, memory_order_acquire) != 2 * version + 2 || half->length > self->capacity)
        Py_RETURN_NONE;
    PyObject *blob = PyBytes_FromStringAndSize((const char *)(half + 1), (Py_ssize_t)half->length);
    atomic_thread_fence(memory_order_acquire);
    if (!blob || atomic_load_explicit(&half->lock, memory_order_relaxed) == 2 * version + 2)
        return blob;
    Py_DECREF(blob);
    Py_RETURN_NONE;
}

static PyObject *board_read(BoardObject *self, PyObject *Py_UNUSED(ignored))
{
    for (int tries = 0; tries < BOARD_TRIES; tries++) {
        uint64_t version = atomic_load_explicit(&self->board->version, memory_order_acquire);
        PyObject *blob = board_copy(self, version);
        if (blob != Py_None)
            return blob ? Py_BuildValue("(KN)", (unsigned long long)version, blob) : NULL;
        Py_DECREF(blob);
    }
    PyErr_SetString(PyExc_BufferError, "the board in shared memory is damaged; restart the appliance");
    return NULL;
}

static PyObject *board_get_version(BoardObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(&self->board->version, memory_order_acquire));
}

static PyMethodDef board_methods[] = {
    {"write", (PyCFunction)board_write, METH_O,
     "write(blob)\n\nReplace the blob; returns its version. Raises ValueError when it is too long."},
    {"read", (PyCFunction)board_read, METH_NOARGS, "read()\n\nThe newest whole (version, blob); version 0 is empty."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef board_properties[] = {
    {"version", (getter)board_get_version, NULL, "Grows by one with each write.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject BoardType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.Board",
    .tp_doc = "Board(memory, offset)\n\nA blob that one process rewrites and anyone reads whole, without waiting.",
    .tp_basicsize = sizeof(BoardObject),
    .tp_new = board_new,
    .tp_dealloc = (destructor)board_dealloc,
    .tp_methods = board_methods,
    .tp_getset = board_properties,
};

PyObject *py_board_bytes(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t capacity;
    Py_ssize_t size = to_unsigned(number, "capacity", UINT64_MAX, &capacity) < 0 ? -1 : board_size(capacity);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

PyObject *format_board(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"memory", "offset", "capacity", NULL};
    PyObject *memory;
    Py_ssize_t offset, size;
    unsigned long long capacity;
    Py_buffer view;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OnK:format_board", names, &memory, &offset, &capacity) ||
        (size = board_size(capacity)) < 0)
        return NULL;
    struct board *board = hold(memory, offset, size, &view);
    if (!board)
        return NULL;
    memset(board, 0, (size_t)size);
    board->magic = BOARD_MAGIC;
    board->capacity = capacity;
    ((struct board_half *)board->halves)->lock = 2; /* version 0: whole, empty */
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}
