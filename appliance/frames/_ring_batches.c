/* One frame into each of many rings, or out of each that has news, in one call. */
#include "_ring_objects.h"

#define ANNOUNCED_RINGS 32

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

PyObject *push_each(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *names)
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

PyObject *pop_ready(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
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
