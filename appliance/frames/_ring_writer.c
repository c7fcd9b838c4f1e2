/* The writing end of a ring. */
#include "_ring_objects.h"

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    RingWriterObject *self = (RingWriterObject *)type->tp_alloc(type, 0);
    struct ring_arguments given;
    if (!self || read_ring_arguments(args, kwargs, &self->memory, &given) < 0) {
        Py_XDECREF(self);
        return NULL;
    }
    self->doorbell = Py_XNewRef((PyObject *)given.doorbell);
    self->writer = (struct ring_writer){
        .ring = given.ring,
        .slots = (uint8_t *)given.ring + given.ring->slots_at,
        .step = given.ring->step,
        .mask = given.ring->slots - 1,
        .shift = atomic_load_explicit(&given.ring->shift, memory_order_relaxed),
        .bit = given.bit,
    };
    if (given.doorbell)
        self->writer.bell = given.doorbell->end;
    self->writer.head = atomic_load_explicit(&given.ring->head, memory_order_relaxed);
    self->writer.generation = atomic_fetch_add_explicit(&given.ring->generation, 1, memory_order_relaxed) + 1;
    writer_announce(&self->writer); /* for what a killed writer pushed but could not announce */
    return (PyObject *)self;
}

static void writer_dealloc(RingWriterObject *self)
{
    Py_XDECREF(self->doorbell);
    PyBuffer_Release(&self->memory);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *writer_push_one(RingWriterObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct frame_meta meta;
    uint64_t sequence;
    if (read_meta("push", args, count, names, 1, &meta) < 0 ||
        push_payload(&self->writer, args[0], &meta, &sequence) < 0)
        return NULL;
    writer_announce(&self->writer);
    return PyLong_FromUnsignedLongLong(sequence);
}

/* Split `length` bytes into consecutive frames and publish them together. Returns the sequence of the first. */
static uint64_t push_split(struct ring_writer *writer, struct frame_meta meta, const uint8_t *bytes, size_t length)
{
    uint64_t first = writer_head(writer), sequence = first;
    uint32_t flags = meta.flags;
    for (size_t done = 0; done < length; done += FRAME_BYTES, sequence++) {
        size_t rest = length - done;
        meta.length = (uint32_t)(rest < FRAME_BYTES ? rest : FRAME_BYTES);
        meta.flags = flags & ~(uint32_t)((done ? FLAG_START : 0) | (rest > FRAME_BYTES ? FLAG_END : 0));
        writer_put(writer, sequence, &meta, bytes + done);
    }
    writer_publish(writer, sequence);
    return first;
}

static PyObject *writer_push_many(RingWriterObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct frame_meta meta;
    Py_buffer view;
    if (read_meta("push_many", args, count, names, 1, &meta) < 0 || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    uint64_t slots = self->writer.mask + 1, frames = ((uint64_t)view.len + FRAME_BYTES - 1) / FRAME_BYTES;
    PyObject *sequence = NULL;
    if (frames == 0 || frames > slots)
        PyErr_Format(PyExc_ValueError, "a push holds 1 to %llu frames in this ring, not %llu",
                     (unsigned long long)slots, (unsigned long long)frames);
    else
        sequence = PyLong_FromUnsignedLongLong(push_split(&self->writer, meta, view.buf, (size_t)view.len));
    PyBuffer_Release(&view);
    if (sequence)
        writer_announce(&self->writer);
    return sequence;
}

/* Is a sample of this frame as loud as `least`? A frame is 16-bit little-endian samples, as this machine's are. */
static bool is_as_loud(const uint8_t *payload, uint32_t length, int least)
{
    int loudest = 0;
    for (uint32_t at = 0; at + 1 < length; at += 2) {
        int16_t sample;
        memcpy(&sample, payload + at, sizeof sample);
        int level = sample < 0 ? -sample : sample;
        loudest = level > loudest ? level : loudest;
    }
    return loudest >= least;
}

/* No second look at the lock: only this process writes here, and it is busy reading. */
static PyObject *writer_read_back(RingWriterObject *self, PyObject *const *args, Py_ssize_t count)
{
    uint64_t sequence, least = 0;
    if (count < 1 || count > 2)
        return PyErr_Format(PyExc_TypeError, "read_back() takes 1 or 2 arguments, not %zd", count);
    if (to_unsigned(args[0], "sequence", UINT64_MAX, &sequence) < 0 ||
        (count == 2 && to_unsigned(args[1], "least", 1 << 15, &least) < 0))
        return NULL;
    const struct slot *slot = writer_slot(&self->writer, sequence);
    if (sequence >= self->writer.head || slot->lock != 2 * sequence + 2 || slot->meta.length > FRAME_BYTES)
        Py_RETURN_NONE;
    bool heard = !least || is_as_loud(slot->payload, slot->meta.length, (int)least);
    return PyBytes_FromStringAndSize((const char *)slot->payload, heard ? slot->meta.length : 0);
}

static PyObject *py_writer_line_up(RingWriterObject *self, PyObject *number)
{
    uint64_t position;
    if (to_unsigned(number, "position", UINT64_MAX, &position) < 0)
        return NULL;
    writer_line_up(&self->writer, position);
    Py_RETURN_NONE;
}

static PyObject *writer_get_head(RingWriterObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(writer_head(&self->writer));
}

static PyObject *writer_get_slots(RingWriterObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->writer.mask + 1);
}

static PyObject *writer_get_generation(RingWriterObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->writer.generation);
}

static PyMethodDef writer_methods[] = {
    {"push", (PyCFunction)(void (*)(void))writer_push_one, METH_FASTCALL | METH_KEYWORDS,
     "push(payload, stream=0, capture_ns=0, timestamp=0, flags=0)\n\n"
     "Push one frame of up to 640 bytes; returns its sequence. Raises ValueError for what does not fit."},
    {"push_many", (PyCFunction)(void (*)(void))writer_push_many, METH_FASTCALL | METH_KEYWORDS,
     "push_many(payloads, stream=0, capture_ns=0, timestamp=0, flags=0)\n\n"
     "Push consecutive frames of 640 bytes (the last may be shorter) that become visible together; START goes only to\n"
     "the first, END only to the last. Returns the sequence of the first. Raises ValueError beyond the ring's slots."},
    {"read_back", (PyCFunction)(void (*)(void))writer_read_back, METH_FASTCALL,
     "read_back(sequence, least=0)\n\n"
     "The payload of a frame that was pushed; None when the ring does not have it (any more). Where no sample's\n"
     "magnitude is `least`, 0 to 32768, no bytes. Leaves the ring's reader alone."},
    {"line_up", (PyCFunction)py_writer_line_up, METH_O,
     "line_up(position)\n\n"
     "Have the next frame in slot `position` modulo the ring's slots, as other rings do: slots that are used together\n"
     "then lie together. Unless it was so already, what was pushed before is lost; sequences go on."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef writer_properties[] = {
    {"head", (getter)writer_get_head, NULL, "Sequence of the next frame.", NULL},
    {"generation", (getter)writer_get_generation, NULL, "Which life of this ring's writer this is, from 1.", NULL},
    {"slots", (getter)writer_get_slots, NULL, "Frames that the ring remembers.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject RingWriterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.RingWriter",
    .tp_doc = "RingWriter(memory, offset, doorbell=None, bit=0)\n\n"
              "The writing end of the ring at `offset`; `doorbell` is its reader's, `bit` the ring's number there.",
    .tp_basicsize = sizeof(RingWriterObject),
    .tp_new = writer_new,
    .tp_dealloc = (destructor)writer_dealloc,
    .tp_methods = writer_methods,
    .tp_getset = writer_properties,
};
