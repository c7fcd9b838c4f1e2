/* What the files of the module `_ring` share: its objects, and how they read what Python gives them. */
#ifndef DRAGOMAN_RING_OBJECTS_H
#define DRAGOMAN_RING_OBJECTS_H

#include <Python.h>

#include "ring.h"

/* ---- objects ---- */

typedef struct {
    PyObject_HEAD
    Py_buffer memory;
    struct bell_end end;
    struct ring_reader *held[BELL_RINGS]; /* the readers in this process, by bit; they take themselves out */
} DoorbellObject;

/* Holds the copy itself. Numbers and bytes become Python objects only when somebody asks for them. */
typedef struct {
    PyObject_HEAD
    struct frame frame;
} FrameObject;

typedef struct {
    PyObject_HEAD
    struct ring_reader reader; /* first: what is used at each frame lies together */
    bool due;                  /* during pop_ready: has news */
    DoorbellObject *doorbell; /* owned */
    Py_buffer memory;
} RingReaderObject;

extern PyTypeObject DoorbellType, FrameType, RingWriterType, RingReaderType, BoardType;
extern PyTypeObject *RingStateType;
extern PyStructSequence_Desc ring_state_description;

/* A frame to be filled in. NULL with MemoryError set. */
FrameObject *frame_new(void);

/* ---- what Python gives ---- */

/* The arguments that RingWriter and RingReader share; the ring is held in `view`, the doorbell is borrowed. */
struct ring_arguments {
    struct ring *ring;
    DoorbellObject *doorbell;
    uint32_t bit;
};

void *hold(PyObject *memory, Py_ssize_t offset, Py_ssize_t size, Py_buffer *view);
struct ring *hold_ring(PyObject *memory, Py_ssize_t offset, Py_buffer *view);
int is_power_of_two(uint64_t number);
Py_ssize_t ring_size(uint64_t slots);
bool slots_fit(uint64_t slots, uint64_t slots_at, uint64_t step, Py_ssize_t offset, Py_ssize_t length);
int to_unsigned(PyObject *number, const char *name, uint64_t limit, uint64_t *value);
int read_meta(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first,
              struct frame_meta *meta);
int read_ring_arguments(PyObject *args, PyObject *kwargs, Py_buffer *view, struct ring_arguments *out);

/* ---- functions of the module ---- */

PyObject *push_each(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *pop_ready(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *py_ring_bytes(PyObject *module, PyObject *number);
PyObject *py_board_bytes(PyObject *module, PyObject *number);
PyObject *format_ring(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *format_board(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *ring_state(PyObject *module, PyObject *args);

/* ---- used at each frame ---- */

static inline int frame_fits(Py_ssize_t length)
{
    if (length <= FRAME_BYTES)
        return 1;
    PyErr_Format(PyExc_ValueError, "a frame holds at most %d bytes, not %zd", FRAME_BYTES, length);
    return 0;
}

/* Push one frame without announcing it. */
static inline int push_payload(struct ring_writer *writer, PyObject *payload, struct frame_meta *meta, uint64_t *sequence)
{
    Py_buffer view;
    if (PyBytes_CheckExact(payload)) { /* nothing to lock */
        if (!frame_fits(PyBytes_GET_SIZE(payload)))
            return -1;
        meta->length = (uint32_t)PyBytes_GET_SIZE(payload);
        *sequence = writer_push(writer, meta, PyBytes_AS_STRING(payload));
        return 0;
    }
    if (PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE) < 0)
        return -1;
    int fits = frame_fits(view.len);
    if (fits) {
        meta->length = (uint32_t)view.len;
        *sequence = writer_push(writer, meta, view.buf);
    }
    PyBuffer_Release(&view);
    return fits ? 0 : -1;
}

/* Frames that a reader at `position` could still get. */
static inline uint64_t depth_of(uint64_t head, uint64_t position, uint64_t slots)
{
    if (position >= head)
        return 0;
    return head - position < slots ? head - position : slots;
}

#endif
