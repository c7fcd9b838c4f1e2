/* Rings laid out in memory, and looked at from outside. */
#include "_ring_objects.h"

PyObject *py_ring_bytes(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t slots;
    Py_ssize_t size = to_unsigned(number, "slots", UINT64_MAX, &slots) < 0 ? -1 : ring_size(slots);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

PyObject *format_ring(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
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

static PyStructSequence_Field state_fields[] = {
    {"slots", NULL},     {"head", NULL},    {"generation", NULL}, {"position", NULL},
    {"committed", NULL}, {"dropped", NULL}, {"torn", NULL},       {"depth", NULL},
    {"capture_ns", "of the frame at `committed`; 0: the ring does not have it"}, {NULL, NULL},
};

PyStructSequence_Desc ring_state_description = {
    "appliance.frames.ring.RingState", "A ring as anyone may see it, without touching it.", state_fields, 9};

PyTypeObject *RingStateType;

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

PyObject *ring_state(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *memory, *state;
    Py_ssize_t offset;
    Py_buffer view;
    struct ring *ring;
    if (!PyArg_ParseTuple(args, "On:ring_state", &memory, &offset) || !(ring = hold_ring(memory, offset, &view)))
        return NULL;
    if ((state = PyStructSequence_New(RingStateType))) {
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
