/* Arithmetic on the samples of 20 ms, 16-bit and native: numpy's calls cost more than the 320 additions in them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define BLOCK 320 /* samples at a time: one frame */

static inline int16_t saturated(int32_t sample)
{
    return (int16_t)(sample > INT16_MAX ? INT16_MAX : sample < INT16_MIN ? INT16_MIN : sample);
}

/* The samples of a bytes object, which lie aligned; NULL with TypeError or ValueError set when it is not `bytes` long. */
static const int16_t *samples_of(PyObject *frame, Py_ssize_t bytes)
{
    if (!PyBytes_Check(frame))
        PyErr_Format(PyExc_TypeError, "a frame is bytes, not %s", Py_TYPE(frame)->tp_name);
    else if (PyBytes_GET_SIZE(frame) != bytes || bytes % 2)
        PyErr_Format(PyExc_ValueError, "frames are of one length and of whole samples, not of %zd and %zd bytes", bytes,
                     PyBytes_GET_SIZE(frame));
    else
        return (const int16_t *)PyBytes_AS_STRING(frame);
    return NULL;
}

static void add_block(PyObject *const *frames, Py_ssize_t count, Py_ssize_t first, Py_ssize_t samples, int16_t *out)
{
    int32_t total[BLOCK] = {0};
    for (Py_ssize_t i = 0; i < count; i++) {
        const int16_t *frame = (const int16_t *)PyBytes_AS_STRING(frames[i]) + first;
        for (Py_ssize_t at = 0; at < samples; at++)
            total[at] += frame[at];
    }
    for (Py_ssize_t at = 0; at < samples; at++)
        out[at] = saturated(total[at]);
}

static PyObject *mix(PyObject *Py_UNUSED(module), PyObject *argument)
{
    PyObject *mixed = NULL, *sequence = PySequence_Fast(argument, "what is mixed is a sequence of frames");
    if (!sequence)
        return NULL;
    PyObject **frames = PySequence_Fast_ITEMS(sequence);
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    Py_ssize_t bytes = count && PyBytes_Check(frames[0]) ? PyBytes_GET_SIZE(frames[0]) : 0;
    if (!count)
        PyErr_SetString(PyExc_ValueError, "there is nothing to mix");
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++)
        samples_of(frames[i], bytes);
    if (!PyErr_Occurred())
        mixed = count == 1 ? Py_NewRef(frames[0]) : PyBytes_FromStringAndSize(NULL, bytes);
    if (mixed && count > 1)
        for (Py_ssize_t first = 0; first < bytes / 2; first += BLOCK)
            add_block(frames, count, first, Py_MIN(BLOCK, bytes / 2 - first),
                      (int16_t *)PyBytes_AS_STRING(mixed) + first);
    Py_DECREF(sequence);
    return mixed;
}

static PyObject *mix_softly(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3)
        return PyErr_Format(PyExc_TypeError, "mix_softly() takes 3 arguments, not %zd", count);
    Py_ssize_t bytes = PyBytes_Check(arguments[0]) ? PyBytes_GET_SIZE(arguments[0]) : 0;
    const int16_t *soft = samples_of(arguments[0], bytes), *loud = NULL;
    if (!soft || (arguments[2] != Py_None && !(loud = samples_of(arguments[2], bytes))))
        return NULL;
    Py_buffer gains;
    if (PyObject_GetBuffer(arguments[1], &gains, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0)
        return NULL;
    PyObject *mixed = NULL;
    if (strcmp(gains.format, "f") || gains.len != 2 * bytes)
        PyErr_Format(PyExc_ValueError, "there is a 32-bit gain for each of %zd samples", bytes / 2);
    else if ((mixed = PyBytes_FromStringAndSize(NULL, bytes))) {
        int16_t *out = (int16_t *)PyBytes_AS_STRING(mixed);
        const float *gain = gains.buf;
        for (Py_ssize_t at = 0; at < bytes / 2; at++)
            out[at] = saturated((int32_t)((float)soft[at] * gain[at]) + (loud ? loud[at] : 0));
    }
    PyBuffer_Release(&gains);
    return mixed;
}

static PyMethodDef functions[] = {
    {"mix", mix, METH_O,
     "mix(frames)\n\n"
     "The sum of frames of equal length; what exceeds 16 bits saturates. Raises ValueError without frames."},
    {"mix_softly", (PyCFunction)(void (*)(void))mix_softly, METH_FASTCALL,
     "mix_softly(soft, gains, loud)\n\n"
     "The sum of `soft`, each sample multiplied by its float32 gain of at most 1, and of `loud` unless that is None."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_samples",
    .m_doc = "Arithmetic on the samples of a frame.",
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__samples(void)
{
    return PyModule_Create(&definition);
}
