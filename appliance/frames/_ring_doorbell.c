/* The doorbell of one process: asleep until a ring that it reads has news. */
#include "_ring_objects.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#define LONGEST_WAIT_S 86400.0
#define NS_PER_S 1000000000L

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

PyTypeObject DoorbellType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "appliance.frames._ring.Doorbell",
    .tp_doc = "Doorbell(memory, offset, semaphore)\n\nOne process's wish to be woken when a ring it reads has news.",
    .tp_basicsize = sizeof(DoorbellObject),
    .tp_new = doorbell_new,
    .tp_dealloc = (destructor)doorbell_dealloc,
    .tp_methods = doorbell_methods,
};
