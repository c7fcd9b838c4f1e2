/* The reading end of a ring, and the frames that come out of it. */
#include "_ring_objects.h"

#include <structmember.h>

#define SPARE_FRAMES 256

/* ---- Frame ---- */

/* Frames that were let go: the next ones are made in memory that is still in the cache. */
static FrameObject *spare_frames[SPARE_FRAMES];
static int spare_count;

/* A frame to be filled in. NULL with MemoryError set. */
FrameObject *frame_new(void)
{
    if (spare_count)
        return (FrameObject *)PyObject_Init((PyObject *)spare_frames[--spare_count], &FrameType);
    return PyObject_New(FrameObject, &FrameType);
}

static void frame_dealloc(FrameObject *self)
{
    if (spare_count < SPARE_FRAMES)
        spare_frames[spare_count++] = self;
    else
        PyObject_Free(self);
}

static int frame_getbuffer(FrameObject *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, (PyObject *)self, self->frame.payload, self->frame.meta.length, 1, flags);
}

static PyBufferProcs frame_buffer = {.bf_getbuffer = (getbufferproc)frame_getbuffer};

static PyObject *frame_get_payload(FrameObject *self, void *Py_UNUSED(closure))
{
    return PyBytes_FromStringAndSize((const char *)self->frame.payload, self->frame.meta.length);
}

static PyObject *frame_repr(FrameObject *self)
{
    const struct frame_meta *meta = &self->frame.meta;
    return PyUnicode_FromFormat(
        "Frame(sequence=%llu, generation=%llu, capture_ns=%llu, stream=%llu, timestamp=%u, flags=%u, %u bytes)",
        (unsigned long long)self->frame.sequence, (unsigned long long)meta->generation,
        (unsigned long long)meta->capture_ns, (unsigned long long)meta->stream, meta->timestamp, meta->flags,
        meta->length);
}

static PyMemberDef frame_members[] = {
    {"sequence", T_ULONGLONG, offsetof(FrameObject, frame.sequence), READONLY, "Its number in its ring."},
    {"generation", T_ULONGLONG, offsetof(FrameObject, frame.meta.generation), READONLY, "The writer's life."},
    {"capture_ns", T_ULONGLONG, offsetof(FrameObject, frame.meta.capture_ns), READONLY, "CLOCK_MONOTONIC."},
    {"stream", T_ULONGLONG, offsetof(FrameObject, frame.meta.stream), READONLY, "What it is part of."},
    {"timestamp", T_UINT, offsetof(FrameObject, frame.meta.timestamp), READONLY, "Media clock."},
    {"flags", T_UINT, offsetof(FrameObject, frame.meta.flags), READONLY, "START, END, CONCEALED, DISCONTINUITY."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef frame_properties[] = {
    {"payload", (getter)frame_get_payload, NULL, "A copy of its bytes; the frame itself is a buffer of them.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject FrameType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.Frame",
    .tp_doc = "What was pushed, and where it stood in its ring.",
    .tp_basicsize = sizeof(FrameObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)frame_dealloc,
    .tp_repr = (reprfunc)frame_repr,
    .tp_as_buffer = &frame_buffer,
    .tp_members = frame_members,
    .tp_getset = frame_properties,
};

/* ---- RingReader ---- */

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    RingReaderObject *self = (RingReaderObject *)type->tp_alloc(type, 0);
    struct ring_arguments given;
    if (!self || read_ring_arguments(args, kwargs, &self->memory, &given) < 0) {
        Py_XDECREF(self);
        return NULL;
    }
    self->reader = (struct ring_reader){
        .ring = given.ring,
        .slots = (uint8_t *)given.ring + given.ring->slots_at,
        .step = given.ring->step,
        .mask = given.ring->slots - 1,
        .bit = given.bit,
    };
    self->reader.position = atomic_load_explicit(&given.ring->committed, memory_order_relaxed);
    reader_show(&self->reader);
    if (given.doorbell) {
        self->doorbell = (DoorbellObject *)Py_NewRef((PyObject *)given.doorbell);
        self->reader.bell = given.doorbell->end;
        given.doorbell->held[given.bit] = &self->reader;
        bell_mark(self->reader.bell.shared, given.bit); /* a killed reader may have taken the mark off and read nothing */
    }
    return (PyObject *)self;
}

static void reader_dealloc(RingReaderObject *self)
{
    if (self->doorbell && self->doorbell->held[self->reader.bit] == &self->reader)
        self->doorbell->held[self->reader.bit] = NULL;
    Py_XDECREF((PyObject *)self->doorbell);
    PyBuffer_Release(&self->memory);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* The next frame as an object; NULL without an exception when there is none now. */
static PyObject *take_frame(struct ring_reader *reader)
{
    FrameObject *frame = frame_new();
    if (!frame)
        return NULL;
    if (reader_take(reader, &frame->frame))
        return (PyObject *)frame;
    Py_DECREF(frame);
    return NULL;
}

static PyObject *reader_pop(RingReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *frame;
    do
        frame = take_frame(&self->reader);
    while (!frame && !PyErr_Occurred() && !reader_rest(&self->reader));
    reader_show(&self->reader);
    if (frame || PyErr_Occurred())
        return frame;
    Py_RETURN_NONE;
}

/* Append up to `limit` frames to `frames`; -1 with an exception set on failure. */
static int take_into(struct ring_reader *reader, PyObject *frames, Py_ssize_t limit)
{
    int failed = 0;
    while (!failed && limit-- > 0 && reader_has_more(reader)) {
        PyObject *frame = take_frame(reader);
        if (!frame)
            break;
        failed = PyList_Append(frames, frame);
        Py_DECREF(frame);
    }
    reader_show(reader);
    return PyErr_Occurred() ? -1 : 0;
}

static int to_limit(PyObject *number, Py_ssize_t *limit)
{
    uint64_t value;
    if (to_unsigned(number, "limit", PY_SSIZE_T_MAX, &value) < 0)
        return -1;
    *limit = (Py_ssize_t)value;
    return 0;
}

static PyObject *reader_pop_many(RingReaderObject *self, PyObject *number)
{
    Py_ssize_t limit;
    if (to_limit(number, &limit) < 0)
        return NULL;
    PyObject *frames = PyList_New(0);
    do {
        if (frames && take_into(&self->reader, frames, limit - PyList_GET_SIZE(frames)) < 0)
            Py_CLEAR(frames);
    } while (frames && PyList_GET_SIZE(frames) < limit && !reader_rest(&self->reader));
    return frames;
}

static uint64_t reader_head(const RingReaderObject *self)
{
    return atomic_load_explicit(&self->reader.ring->head, memory_order_acquire);
}

/* A sequence that has been, or will be the next to be, pushed. */
static int to_sequence(RingReaderObject *self, PyObject *number, uint64_t *sequence)
{
    return to_unsigned(number, "sequence", reader_head(self), sequence);
}

static PyObject *reader_seek(RingReaderObject *self, PyObject *number)
{
    if (to_sequence(self, number, &self->reader.position) < 0)
        return NULL;
    reader_show(&self->reader);
    if (self->doorbell)
        bell_mark(self->reader.bell.shared, self->reader.bit); /* what was read may be unread again */
    Py_RETURN_NONE;
}

static PyObject *reader_commit(RingReaderObject *self, PyObject *const *args, Py_ssize_t count)
{
    uint64_t sequence = self->reader.position;
    if (count > 1)
        return PyErr_Format(PyExc_TypeError, "commit() takes at most one argument, not %zd", count);
    if (count == 1 && args[0] != Py_None && to_sequence(self, args[0], &sequence) < 0)
        return NULL;
    atomic_store_explicit(&self->reader.ring->committed, sequence, memory_order_relaxed);
    Py_RETURN_NONE;
}

static PyObject *reader_get_head(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(reader_head(self));
}

static PyObject *reader_get_position(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->reader.position);
}

static PyObject *reader_get_committed(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(&self->reader.ring->committed, memory_order_relaxed));
}

static PyObject *reader_get_depth(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(depth_of(reader_head(self), self->reader.position, self->reader.mask + 1));
}

static PyObject *reader_get_dropped(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(&self->reader.ring->dropped, memory_order_relaxed));
}

static PyObject *reader_get_torn(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(&self->reader.ring->torn, memory_order_relaxed));
}

static PyObject *reader_get_slots(RingReaderObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->reader.mask + 1);
}

static PyMethodDef reader_methods[] = {
    {"pop", (PyCFunction)reader_pop, METH_NOARGS, "pop()\n\nThe next whole frame, or None when there is none now."},
    {"pop_many", (PyCFunction)reader_pop_many, METH_O, "pop_many(limit)\n\nUp to `limit` frames, in order."},
    {"seek", (PyCFunction)reader_seek, METH_O,
     "seek(sequence)\n\nRead from `sequence` next, for instance to replay. Raises ValueError beyond the head."},
    {"commit", (PyCFunction)(void (*)(void))reader_commit, METH_FASTCALL,
     "commit(sequence=None)\n\nA restarted reader resumes at `sequence`; None: at the current position."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef reader_properties[] = {
    {"head", (getter)reader_get_head, NULL, "Sequence of the frame that the writer pushes next.", NULL},
    {"position", (getter)reader_get_position, NULL, "Sequence that is read next.", NULL},
    {"committed", (getter)reader_get_committed, NULL, "Sequence at which a restarted reader resumes.", NULL},
    {"depth", (getter)reader_get_depth, NULL, "Frames that wait to be read.", NULL},
    {"dropped", (getter)reader_get_dropped, NULL, "Frames overwritten before they were read, in the ring's life.", NULL},
    {"torn", (getter)reader_get_torn, NULL, "Those of `dropped` that were overwritten while they were copied.", NULL},
    {"slots", (getter)reader_get_slots, NULL, "Frames that the ring remembers.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject RingReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.RingReader",
    .tp_doc = "RingReader(memory, offset, doorbell=None, bit=0)\n\n"
              "The reading end of the ring at `offset`, from the committed position on.",
    .tp_basicsize = sizeof(RingReaderObject),
    .tp_new = reader_new,
    .tp_dealloc = (destructor)reader_dealloc,
    .tp_methods = reader_methods,
    .tp_getset = reader_properties,
};
