/* Memory, rings and numbers as Python gives them, checked. */
#include "_ring_objects.h"

#define META_ARGUMENTS 4

/* Borrow `size` bytes at `offset` of a writable buffer. NULL with an exception set when they are not there. */
void *hold(PyObject *memory, Py_ssize_t offset, Py_ssize_t size, Py_buffer *view)
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

int is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

/* Bytes of a ring with so many slots; -1 with ValueError set when there is no such ring. */
Py_ssize_t ring_size(uint64_t slots)
{
    if (is_power_of_two(slots) && slots >= 2 && slots <= UINT64_C(1) << 24)
        return (Py_ssize_t)(sizeof(struct ring) + slots * sizeof(struct slot));
    PyErr_Format(PyExc_ValueError, "a ring has a power of two of slots, from 2 to 2^24, not %llu",
                 (unsigned long long)slots);
    return -1;
}

/* Do the slots of a ring at `offset` lie behind its header and inside the memory? */
bool slots_fit(uint64_t slots, uint64_t slots_at, uint64_t step, Py_ssize_t offset, Py_ssize_t length)
{
    uint64_t room = (uint64_t)(length - offset);
    return slots_at >= sizeof(struct ring) && slots_at % CACHE_LINE == 0 && slots_at <= room &&
           step >= sizeof(struct slot) && step % CACHE_LINE == 0 && step <= room / slots &&
           (slots - 1) * step + sizeof(struct slot) <= room - slots_at;
}

/* Borrow the formatted ring at `offset`. */
struct ring *hold_ring(PyObject *memory, Py_ssize_t offset, Py_buffer *view)
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

int to_unsigned(PyObject *number, const char *name, uint64_t limit, uint64_t *value)
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
int read_meta(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t first,
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

int read_ring_arguments(PyObject *args, PyObject *kwargs, Py_buffer *view, struct ring_arguments *out)
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
