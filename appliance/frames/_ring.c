/* The module `_ring`: rings in shared memory for Python. Its parts are in _ring_*.c, what they share in two headers. */
#include "_ring_objects.h"

#include <sys/prctl.h>

static PyObject *die_with_parent(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint64_t signal;
    if (to_unsigned(number, "signal", 64, &signal) < 0)
        return NULL;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

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
    RingStateType = PyStructSequence_NewType(&ring_state_description);
    return !RingStateType || PyModule_AddType(module, &FrameType) < 0 ||
           PyModule_AddObjectRef(module, "RingState", (PyObject *)RingStateType) < 0 ||
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
