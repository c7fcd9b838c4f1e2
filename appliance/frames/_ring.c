/* The Python face of ring.h: frames in and out of shared memory, the doorbell, and the board for the roster. */
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <math.h>
#include <sys/prctl.h>
#include <time.h>

#include "ring.h"

#define META_ARGUMENTS 4
#define ANNOUNCED_RINGS 32
#define SPARE_FRAMES 256
#define LONGEST_WAIT_S 86400.0
#define NS_PER_S 1000000000L

/* ---- memory and numbers from Python ---- */

/* Borrow `size` bytes at `offset` of a writable buffer. NULL with an exception set when they are not there. */
static void *hold(PyObject *memory, Py_ssize_t offset, Py_ssize_t size, Py_buffer *view)
{
    if (PyObject_GetBuffer(memory, view, PyBUF_WRITABLE) < 0)
        return NULL;
    uint8_t *start = (uint8_t *)view->buf + offset;
    if (offset < 0 || size > view->len || offset > view->len - size)
        PyErr_Format(PyExc_ValueError, "offset %zd and %zd bytes lie outside a memory of %zd bytes", offset, size,
                     view->len);
    else if ((uintptr_t)start % CACHE_LINE)
        PyErr_Format(PyExc_ValueError, "offset %zd is not at a multiple of %d bytes in memory", offset, CACHE_LINE);
    else
        return start;
    PyBuffer_Release(view);
    return NULL;
}

static int is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

/* Bytes of a ring with so many slots; -1 with ValueError set when there is no such ring. */
static Py_ssize_t ring_size(uint64_t slots)
{
    if (is_power_of_two(slots) && slots >= 2 && slots <= UINT64_C(1) << 24)
        return (Py_ssize_t)(sizeof(struct ring) + slots * sizeof(struct slot));
    PyErr_Format(PyExc_ValueError, "a ring has a power of two of slots, from 2 to 2^24, not %llu",
                 (unsigned long long)slots);
    return -1;
}

/* Do the slots of a ring at `offset` lie behind its header and inside the memory? */
static bool slots_fit(uint64_t slots, uint64_t slots_at, uint64_t step, Py_ssize_t offset, Py_ssize_t length)
{
    uint64_t room = (uint64_t)(length - offset);
    return slots_at >= sizeof(struct ring) && slots_at % CACHE_LINE == 0 && slots_at <= room &&
           step >= sizeof(struct slot) && step % CACHE_LINE == 0 && step <= room / slots &&
           (slots - 1) * step + sizeof(struct slot) <= room - slots_at;
}

/* Borrow the formatted ring at `offset`. */
static struct ring *hold_ring(PyObject *memory, Py_ssize_t offset, Py_buffer *view)
{
    struct ring *ring = hold(memory, offset, sizeof(struct ring), view);
    if (!ring)
        return NULL;
    if (ring->magic != RING_MAGIC)
        PyErr_Format(PyExc_ValueError, "there is no ring at offset %zd; format_ring makes one", offset);
    else if (ring_size(ring->slots) > 0) {
        if (slots_fit(ring->slots, ring->slots_at, ring->step, offset, view->len))
            return ring;
        PyErr_Format(PyExc_ValueError, "the ring at offset %zd does not fit its memory", offset);
    }
    PyBuffer_Release(view);
    return NULL;
}

static int to_unsigned(PyObject *number, const char *name, uint64_t limit, uint64_t *value)
{
    if (!PyLong_Check(number)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int", name);
        return -1;
    }
    *value = PyLong_AsUnsignedLongLong(number);
    if (*value == UINT64_MAX && PyErr_Occurred())
        PyErr_Clear();
    else if (*value <= limit)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must be from 0 to %llu, not %R", name, (unsigned long long)limit, number);
    return -1;
}

/* Read stream, capture_ns, timestamp, flags: positional from args[first] on, then by name; 0 when not given. */
static int read_meta(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first,
                     struct frame_meta *meta)
{
    static const char *const fields[META_ARGUMENTS] = {"stream", "capture_ns", "timestamp", "flags"};
    static const uint64_t limits[META_ARGUMENTS] = {UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX};
    uint64_t values[META_ARGUMENTS] = {0};
    if (count < first || count > first + META_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd to %zd arguments, not %zd", function, first,
                     first + META_ARGUMENTS, count);
        return -1;
    }
    for (Py_ssize_t i = first; i < count; i++)
        if (to_unsigned(args[i], fields[i - first], limits[i - first], &values[i - first]) < 0)
            return -1;
    for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); k++) {
        PyObject *name = PyTuple_GET_ITEM(names, k);
        int field = 0;
        while (field < META_ARGUMENTS && PyUnicode_CompareWithASCIIString(name, fields[field]))
            field++;
        if (field == META_ARGUMENTS || field < count - first) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected argument %R", function, name);
            return -1;
        }
        if (to_unsigned(args[count + k], fields[field], limits[field], &values[field]) < 0)
            return -1;
    }
    *meta = (struct frame_meta){.stream = values[0],
                                .capture_ns = values[1],
                                .timestamp = (uint32_t)values[2],
                                .flags = (uint32_t)values[3]};
    return 0;
}

/* ---- Doorbell ---- */

typedef struct {
    PyObject_HEAD
    Py_buffer memory;
    struct bell_end end;
    struct ring_reader *held[BELL_RINGS]; /* the readers in this process, by bit; they take themselves out */
} DoorbellObject;

static PyTypeObject DoorbellType;

static PyObject *doorbell_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"memory", "offset", "semaphore", NULL};
    PyObject *memory;
    Py_ssize_t offset;
    const char *semaphore;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ons:Doorbell", names, &memory, &offset, &semaphore))
        return NULL;
    DoorbellObject *self = (DoorbellObject *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->end.shared = hold(memory, offset, sizeof(struct bell), &self->memory);
    if (self->end.shared && (self->end.semaphore = sem_open(semaphore, 0)) == SEM_FAILED) {
        self->end.semaphore = NULL;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, semaphore);
    }
    if (self->end.semaphore)
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void doorbell_dealloc(DoorbellObject *self)
{
    if (self->end.semaphore)
        sem_close(self->end.semaphore);
    PyBuffer_Release(&self->memory);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Does a marked ring that this process reads have something unread? The marks of those that have not are taken off. */
static bool doorbell_has_news(const DoorbellObject *self)
{
    for (int word = 0; word < BELL_WORDS; word++) {
        uint64_t marks = atomic_load_explicit(&self->end.shared->dirty[word], memory_order_relaxed);
        for (; marks; marks &= marks - 1) {
            struct ring_reader *reader = self->held[word * 64 + __builtin_ctzll(marks)];
            if (reader && (reader_has_more(reader) || !reader_rest(reader)))
                return true;
        }
    }
    return false;
}

/* The marks are a hint. After a silent wait every ring is looked at: a lost mark hides a frame for one timeout at most. */
static bool doorbell_look_everywhere(const DoorbellObject *self)
{
    bool found = false;
    for (uint32_t bit = 0; bit < BELL_RINGS; bit++)
        if (self->held[bit] && reader_has_more(self->held[bit])) {
            bell_mark(self->end.shared, bit);
            found = true;
        }
    return found;
}

/* Sleep until posted, a signal, or the deadline; 0 or errno. */
static int semaphore_wait(sem_t *semaphore, double timeout_s)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t)timeout_s;
    deadline.tv_nsec += (long)((timeout_s - floor(timeout_s)) * (double)NS_PER_S);
    if (deadline.tv_nsec >= NS_PER_S) {
        deadline.tv_sec++;
        deadline.tv_nsec -= NS_PER_S;
    }
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) ? errno : 0;
}

/* Sleep, unless there is news. 0: there is, or somebody rang; otherwise errno, ETIMEDOUT among them. */
static int doorbell_sleep(DoorbellObject *self, double timeout_s)
{
    _Atomic uint32_t *sleeping = &self->end.shared->sleeping;
    int failure = 0;
    atomic_store_explicit(sleeping, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* the other half of bell_wake */
    if (!doorbell_has_news(self)) {
        Py_BEGIN_ALLOW_THREADS
        failure = semaphore_wait(self->end.semaphore, timeout_s);
        Py_END_ALLOW_THREADS
    }
    atomic_store_explicit(sleeping, 0, memory_order_relaxed);
    return failure;
}

static PyObject *doorbell_wait(DoorbellObject *self, PyObject *timeout)
{
    double timeout_s = PyFloat_AsDouble(timeout);
    if (timeout_s == -1.0 && PyErr_Occurred())
        return NULL;
    if (!(timeout_s >= 0 && timeout_s <= LONGEST_WAIT_S))
        return PyErr_Format(PyExc_ValueError, "timeout_s must be from 0 to %d, not %R", (int)LONGEST_WAIT_S, timeout);
    switch (errno = doorbell_sleep(self, timeout_s)) {
    case 0:
        Py_RETURN_TRUE;
    case ETIMEDOUT:
        return PyBool_FromLong(doorbell_look_everywhere(self));
    case EINTR:
        return PyErr_CheckSignals() < 0 ? NULL : Py_NewRef(Py_True);
    default:
        return PyErr_SetFromErrno(PyExc_OSError);
    }
}

static PyObject *doorbell_ring(DoorbellObject *self, PyObject *Py_UNUSED(ignored))
{
    sem_post(self->end.semaphore);
    Py_RETURN_NONE;
}

static PyMethodDef doorbell_methods[] = {
    {"wait", (PyCFunction)doorbell_wait, METH_O,
     "wait(timeout_s)\n\nSleep until there is something unread in a ring whose reader this process holds, somebody rings,\n"
     "or a signal comes (True), or `timeout_s` is over (False). Monotonic clock; other threads run meanwhile."},
    {"ring", (PyCFunction)doorbell_ring, METH_NOARGS, "ring()\n\nWake the process, now or at its next wait."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject DoorbellType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.Doorbell",
    .tp_doc = "Doorbell(memory, offset, semaphore)\n\nOne process's wish to be woken when a ring it reads has news.",
    .tp_basicsize = sizeof(DoorbellObject),
    .tp_new = doorbell_new,
    .tp_dealloc = (destructor)doorbell_dealloc,
    .tp_methods = doorbell_methods,
};

/* The arguments that RingWriter and RingReader share; the ring is held in `view`, the doorbell is borrowed. */
struct ring_arguments {
    struct ring *ring;
    DoorbellObject *doorbell;
    uint32_t bit;
};

static int read_ring_arguments(PyObject *args, PyObject *kwargs, Py_buffer *view, struct ring_arguments *out)
{
    static char *names[] = {"memory", "offset", "doorbell", "bit", NULL};
    PyObject *memory, *doorbell = Py_None;
    Py_ssize_t offset, bit = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On|On", names, &memory, &offset, &doorbell, &bit))
        return -1;
    if (doorbell != Py_None && !Py_IS_TYPE(doorbell, &DoorbellType)) {
        PyErr_SetString(PyExc_TypeError, "doorbell must be a Doorbell or None");
        return -1;
    }
    if (bit < 0 || bit >= BELL_RINGS) {
        PyErr_Format(PyExc_ValueError, "bit must be from 0 to %d, not %zd", BELL_RINGS - 1, bit);
        return -1;
    }
    out->doorbell = doorbell == Py_None ? NULL : (DoorbellObject *)doorbell;
    out->bit = (uint32_t)bit;
    out->ring = hold_ring(memory, offset, view);
    return out->ring ? 0 : -1;
}

/* ---- RingWriter ---- */

static PyTypeObject RingWriterType;

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

static int frame_fits(Py_ssize_t length)
{
    if (length <= FRAME_BYTES)
        return 1;
    PyErr_Format(PyExc_ValueError, "a frame holds at most %d bytes, not %zd", FRAME_BYTES, length);
    return 0;
}

/* Push one frame without announcing it. */
static int push_payload(struct ring_writer *writer, PyObject *payload, struct frame_meta *meta, uint64_t *sequence)
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

static PyTypeObject RingWriterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.RingWriter",
    .tp_doc = "RingWriter(memory, offset, doorbell=None, bit=0)\n\n"
              "The writing end of the ring at `offset`; `doorbell` is its reader's, `bit` the ring's number there.",
    .tp_basicsize = sizeof(RingWriterObject),
    .tp_new = writer_new,
    .tp_dealloc = (destructor)writer_dealloc,
    .tp_methods = writer_methods,
    .tp_getset = writer_properties,
};

/* ---- Frame ---- */

/* Holds the copy itself. Numbers and bytes become Python objects only when somebody asks for them. */
typedef struct {
    PyObject_HEAD
    struct frame frame;
} FrameObject;

static PyTypeObject FrameType;

/* Frames that were let go: the next ones are made in memory that is still in the cache. */
static FrameObject *spare_frames[SPARE_FRAMES];
static int spare_count;

/* A frame to be filled in. NULL with MemoryError set. */
static FrameObject *frame_new(void)
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

static PyTypeObject FrameType = {
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

typedef struct {
    PyObject_HEAD
    struct ring_reader reader; /* first: what is used at each frame lies together */
    bool due;                  /* during pop_ready: has news */
    DoorbellObject *doorbell; /* owned */
    Py_buffer memory;
} RingReaderObject;

static PyTypeObject RingReaderType;
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

/* Frames that a reader at `position` could still get. */
static uint64_t depth_of(uint64_t head, uint64_t position, uint64_t slots)
{
    if (position >= head)
        return 0;
    return head - position < slots ? head - position : slots;
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

static PyTypeObject RingReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.RingReader",
    .tp_doc = "RingReader(memory, offset, doorbell=None, bit=0)\n\n"
              "The reading end of the ring at `offset`, from the committed position on.",
    .tp_basicsize = sizeof(RingReaderObject),
    .tp_new = reader_new,
    .tp_dealloc = (destructor)reader_dealloc,
    .tp_methods = reader_methods,
    .tp_getset = reader_properties,
};

/* ---- batches across rings ---- */

/* A list or tuple whose items are all of `type`, as a fast sequence. */
static PyObject *sequence_of(PyObject *items, PyTypeObject *type, const char *message)
{
    PyObject *fast = PySequence_Fast(items, message);
    for (Py_ssize_t i = 0; fast && i < PySequence_Fast_GET_SIZE(fast); i++)
        if (!Py_IS_TYPE(PySequence_Fast_GET_ITEM(fast, i), type)) {
            PyErr_SetString(PyExc_TypeError, message);
            Py_CLEAR(fast);
        }
    return fast;
}

/* Say that all of these rings have news, and wake each consumer once. */
static void announce_each(PyObject *const *writers, Py_ssize_t count)
{
    struct bell *woken = NULL;
    atomic_thread_fence(memory_order_seq_cst);
    for (Py_ssize_t i = 0; i < count; i++)
        writer_mark(&((RingWriterObject *)writers[i])->writer);
    for (Py_ssize_t i = 0; i < count; i++) {
        struct bell_end *bell = &((RingWriterObject *)writers[i])->writer.bell;
        if (bell->shared != woken)
            bell_wake(bell);
        woken = bell->shared;
    }
}

/* Push one frame into each ring. Returns how many were pushed: all, or those before the one that raised.
 *
 * Announced in runs: it takes a sleeping consumer longer to wake up than us to push the rest. */
static Py_ssize_t push_run(PyObject *const *writers, PyObject *const *payloads, Py_ssize_t count, struct frame_meta *meta)
{
    Py_ssize_t pushed = 0, announced = 0;
    uint64_t sequence;
    for (; pushed < count; pushed++) {
        if (pushed + RINGS_AHEAD < count)
            writer_expect(&((RingWriterObject *)writers[pushed + RINGS_AHEAD])->writer);
        if (push_payload(&((RingWriterObject *)writers[pushed])->writer, payloads[pushed], meta, &sequence) < 0)
            break;
        if (pushed + 1 - announced == ANNOUNCED_RINGS) {
            announce_each(writers + announced, pushed + 1 - announced);
            announced = pushed + 1;
        }
    }
    announce_each(writers + announced, pushed - announced);
    return pushed;
}

static PyObject *push_each(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct frame_meta meta;
    if (read_meta("push_each", args, count, names, 2, &meta) < 0)
        return NULL;
    PyObject *writers = sequence_of(args[0], &RingWriterType, "writers must be a sequence of RingWriter");
    PyObject *payloads = writers ? PySequence_Fast(args[1], "payloads must be a sequence") : NULL;
    Py_ssize_t rings = payloads ? PySequence_Fast_GET_SIZE(writers) : 0;
    bool done = false;
    if (payloads && PySequence_Fast_GET_SIZE(payloads) != rings)
        PyErr_Format(PyExc_ValueError, "%zd writers need as many payloads, not %zd", rings,
                     PySequence_Fast_GET_SIZE(payloads));
    else if (payloads)
        done = push_run(PySequence_Fast_ITEMS(writers), PySequence_Fast_ITEMS(payloads), rings, &meta) == rings;
    Py_XDECREF(writers);
    Py_XDECREF(payloads);
    return done ? Py_NewRef(Py_None) : NULL;
}

/* Note which of these rings have news, `limit` of them at most, and take their marks off.
 *
 * First all marks, then one fence, then the rings: whatever is published later marks its ring again, and a fence per
 * ring would cost more than the frame. */
static void collect_due(RingReaderObject **readers, Py_ssize_t count, Py_ssize_t limit)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        struct bell *bell = readers[i]->reader.bell.shared;
        readers[i]->due = !bell || (limit > 0 && bell_marked(bell, readers[i]->reader.bit));
        if (!bell || !readers[i]->due)
            continue;
        bell_unmark(bell, readers[i]->reader.bit);
        limit--;
    }
    atomic_thread_fence(memory_order_seq_cst);
}

/* Take frames of those rings that have news, as many as there is room for; what is left over stays marked. */
static Py_ssize_t take_ready(RingReaderObject **readers, Py_ssize_t rings, struct frame *frames, Py_ssize_t room)
{
    Py_ssize_t taken = 0;
    collect_due(readers, rings, room);
    for (Py_ssize_t i = 0; i < rings; i++) {
        struct ring_reader *reader = &readers[i]->reader;
        if (i + RINGS_AHEAD < rings && readers[i + RINGS_AHEAD]->due)
            reader_expect(&readers[i + RINGS_AHEAD]->reader);
        if (!readers[i]->due)
            continue;
        for (; taken < room && reader_take(reader, &frames[taken]); taken++)
            frames[taken].meta.index = (uint32_t)i;
        reader_show(reader);
        if (reader->bell.shared && reader_has_more(reader))
            bell_mark(reader->bell.shared, reader->bit);
    }
    return taken;
}

static PyObject *pop_ready(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    Py_buffer view;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "pop_ready() takes readers and a buffer, not %zd arguments", count);
    if (PyObject_GetBuffer(args[1], &view, PyBUF_WRITABLE) < 0)
        return NULL;
    PyObject *readers = sequence_of(args[0], &RingReaderType, "readers must be a sequence of RingReader");
    PyObject *taken = NULL;
    if (readers && (uintptr_t)view.buf % _Alignof(struct frame))
        PyErr_SetString(PyExc_ValueError, "the buffer for frames must begin at a multiple of 8 bytes in memory");
    else if (readers)
        taken = PyLong_FromSsize_t(take_ready((RingReaderObject **)PySequence_Fast_ITEMS(readers),
                                              PySequence_Fast_GET_SIZE(readers), view.buf,
                                              view.len / (Py_ssize_t)sizeof(struct frame)));
    Py_XDECREF(readers);
    PyBuffer_Release(&view);
    return taken;
}

/* ---- Board: one blob that one process rewrites and anyone reads ---- */

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

static PyTypeObject BoardType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.Board",
    .tp_doc = "Board(memory, offset)\n\nA blob that one process rewrites and anyone reads whole, without waiting.",
    .tp_basicsize = sizeof(BoardObject),
    .tp_new = board_new,
    .tp_dealloc = (destructor)board_dealloc,
    .tp_methods = board_methods,
    .tp_getset = board_properties,
};

/* ---- laying out, observing ---- */

static PyObject *py_ring_bytes(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t slots;
    Py_ssize_t size = to_unsigned(number, "slots", UINT64_MAX, &slots) < 0 ? -1 : ring_size(slots);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

static PyObject *py_board_bytes(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t capacity;
    Py_ssize_t size = to_unsigned(number, "capacity", UINT64_MAX, &capacity) < 0 ? -1 : board_size(capacity);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

static PyObject *format_ring(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"memory", "offset", "slots", "first_sequence", "slots_at", "step", NULL};
    PyObject *memory;
    Py_ssize_t offset;
    unsigned long long slots, first = 0, slots_at = sizeof(struct ring), step = sizeof(struct slot);
    Py_buffer view;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OnK|KKK:format_ring", names, &memory, &offset, &slots, &first,
                                     &slots_at, &step) ||
        ring_size(slots) < 0)
        return NULL;
    struct ring *ring = hold(memory, offset, sizeof(struct ring), &view);
    if (!ring)
        return NULL;
    bool fits = slots_fit(slots, slots_at, step, offset, view.len);
    if (fits) {
        memset(ring, 0, sizeof(struct ring));
        *ring = (struct ring){.magic = RING_MAGIC, .slots = slots, .slots_at = slots_at, .step = step};
        ring->head = ring->position = ring->committed = first;
        for (uint64_t slot = 0; slot < slots; slot++)
            memset(ring_slot(ring, slot), 0, sizeof(struct slot));
    } else
        PyErr_Format(PyExc_ValueError, "%llu slots do not fit at offset %zd + %llu of a memory of %zd bytes", slots,
                     offset, slots_at, view.len);
    PyBuffer_Release(&view);
    return fits ? Py_NewRef(Py_None) : NULL;
}

static PyObject *format_board(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
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

static PyStructSequence_Field state_fields[] = {
    {"slots", NULL},     {"head", NULL},    {"generation", NULL}, {"position", NULL},
    {"committed", NULL}, {"dropped", NULL}, {"torn", NULL},       {"depth", NULL},
    {"capture_ns", "of the frame at `committed`; 0: the ring does not have it"}, {NULL, NULL},
};

static PyStructSequence_Desc state_description = {
    "appliance.frames.ring.RingState", "A ring as anyone may see it, without touching it.", state_fields, 9};

static PyTypeObject *StateType;

/* Set field `index` of a new struct sequence; a NULL value (out of memory) is found by whoever finishes it. */
static void set_number(PyObject *record, Py_ssize_t index, uint64_t number)
{
    PyStructSequence_SetItem(record, index, PyLong_FromUnsignedLongLong(number));
}

/* When frame `sequence` was captured; 0 when the ring does not have it. */
static uint64_t capture_of(struct ring *ring, uint64_t sequence)
{
    struct slot *slot = ring_slot(ring, sequence);
    if (atomic_load_explicit(&slot->lock, memory_order_acquire) != 2 * sequence + 2)
        return 0;
    uint64_t capture_ns = slot->meta.capture_ns;
    atomic_thread_fence(memory_order_acquire); /* the copy before the second look at the lock */
    return atomic_load_explicit(&slot->lock, memory_order_relaxed) == 2 * sequence + 2 ? capture_ns : 0;
}

static PyObject *ring_state(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *memory, *state;
    Py_ssize_t offset;
    Py_buffer view;
    struct ring *ring;
    if (!PyArg_ParseTuple(args, "On:ring_state", &memory, &offset) || !(ring = hold_ring(memory, offset, &view)))
        return NULL;
    if ((state = PyStructSequence_New(StateType))) {
        uint64_t position = ring->position, head = ring->head;
        set_number(state, 0, ring->slots);
        set_number(state, 1, head);
        set_number(state, 2, ring->generation);
        set_number(state, 3, position);
        set_number(state, 4, ring->committed);
        set_number(state, 5, ring->dropped);
        set_number(state, 6, ring->torn);
        set_number(state, 7, depth_of(head, position, ring->slots));
        set_number(state, 8, capture_of(ring, ring->committed));
        if (PyErr_Occurred())
            Py_CLEAR(state);
    }
    PyBuffer_Release(&view);
    return state;
}

static PyObject *die_with_parent(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t signal;
    if (to_unsigned(number, "signal", 64, &signal) < 0)
        return NULL;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
    {"push_each", (PyCFunction)(void (*)(void))push_each, METH_FASTCALL | METH_KEYWORDS,
     "push_each(writers, payloads, stream=0, capture_ns=0, timestamp=0, flags=0)\n\n"
     "Push one frame into each ring, then wake each consumer once."},
    {"pop_ready", (PyCFunction)(void (*)(void))pop_ready, METH_FASTCALL,
     "pop_ready(readers, frames)\n\n"
     "Fill `frames`, a buffer of FRAME_RECORDs, from those rings that have news, in the order of `readers`; a record's\n"
     "`index` is its reader's place there. Returns how many. What does not fit is found by the next call."},
    {"ring_bytes", py_ring_bytes, METH_O, "ring_bytes(slots)\n\nBytes of memory that a ring takes."},
    {"board_bytes", py_board_bytes, METH_O, "board_bytes(capacity)\n\nBytes of memory that a board takes."},
    {"format_ring", (PyCFunction)(void (*)(void))format_ring, METH_VARARGS | METH_KEYWORDS,
     "format_ring(memory, offset, slots, first_sequence=0, slots_at=RING_HEADER_BYTES, step=SLOT_BYTES)\n\n"
     "Make an empty ring at `offset`, its slots `slots_at` bytes further on and `step` bytes from each other; all three\n"
     "are multiples of 64."},
    {"format_board", (PyCFunction)(void (*)(void))format_board, METH_VARARGS | METH_KEYWORDS,
     "format_board(memory, offset, capacity)\n\nMake an empty board at `offset`, a multiple of 64."},
    {"ring_state", ring_state, METH_VARARGS, "ring_state(memory, offset)\n\nHead, position and counts of a ring."},
    {"die_with_parent", die_with_parent, METH_O,
     "die_with_parent(signal)\n\nHave the kernel send `signal` when the thread that started this process ends\n"
     "(prctl PR_SET_PDEATHSIG). A parent that is gone already is not noticed: compare os.getppid() afterwards."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_ring", .m_doc = "Rings in shared memory.", .m_size = -1, .m_methods = functions};

static int add_constants(PyObject *module)
{
    return PyModule_AddIntConstant(module, "START", FLAG_START) < 0 ||
           PyModule_AddIntConstant(module, "END", FLAG_END) < 0 ||
           PyModule_AddIntConstant(module, "CONCEALED", FLAG_CONCEALED) < 0 ||
           PyModule_AddIntConstant(module, "DISCONTINUITY", FLAG_DISCONTINUITY) < 0 ||
           PyModule_AddIntConstant(module, "RING_HEADER_BYTES", sizeof(struct ring)) < 0 ||
           PyModule_AddIntConstant(module, "SLOT_BYTES", sizeof(struct slot)) < 0 ||
           PyModule_AddIntConstant(module, "FRAME_RECORD_BYTES", sizeof(struct frame)) < 0 ||
           PyModule_AddIntConstant(module, "BELL_BYTES", sizeof(struct bell)) < 0 ||
           PyModule_AddIntConstant(module, "BELL_RINGS", BELL_RINGS) < 0;
}

static int add_types(PyObject *module)
{
    StateType = PyStructSequence_NewType(&state_description);
    return !StateType || PyModule_AddType(module, &FrameType) < 0 ||
           PyModule_AddObjectRef(module, "RingState", (PyObject *)StateType) < 0 ||
           PyModule_AddType(module, &DoorbellType) < 0 || PyModule_AddType(module, &RingWriterType) < 0 ||
           PyModule_AddType(module, &RingReaderType) < 0 || PyModule_AddType(module, &BoardType) < 0;
}

PyMODINIT_FUNC PyInit__ring(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && (add_types(module) || add_constants(module)))
        Py_CLEAR(module);
    return module;
}
