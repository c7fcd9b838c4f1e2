/* Datagrams in and out in batches: the packets that are as expected go from the socket into their rings here.
 *
 * A stream is told by the address it comes from. What is odd about a packet is decided in Python: the first odd packet
 * of a stream and all after it are handed up, until Python says what to expect next. One thread only, the GIL is held.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <structmember.h>
#include <sys/socket.h>
#include <time.h>

#include "ring.h"

#define BATCH 64
#define MAX_BATCHES 64 /* in one call, so that a flood cannot keep the caller from its tick */
#define DATAGRAM_BYTES 2048
#define RTP_HEADER_BYTES 12
#define FRAME_NS UINT64_C(20000000)
#define FRAME_TICKS 320
#define NS_PER_S INT64_C(1000000000)
#define CLOCK_TRIES 5
#define CLOCKS_APART_NS 20000
#define NO_ROW -1

enum purpose { UNUSED, IGNORED, HEARD };

/* One address we know. The last four fields tell the packet that can be taken without a second look. */
struct stream {
    uint64_t address; /* IPv4 << 16 | port, in host byte order */
    enum purpose purpose;
    PyObject *writer_object; /* owned: keeps `writer` and its memory there */
    struct ring_writer *writer;
    bool touched; /* in this call: its reader is to be told */
    bool in_step; /* the fields below hold */
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t ssrc;
};

union stamp_space {
    char bytes[CMSG_SPACE(sizeof(struct timespec))];
    struct cmsghdr aligned;
};

struct inbox {
    struct mmsghdr message[BATCH];
    struct iovec part[BATCH];
    struct sockaddr_in source[BATCH];
    union stamp_space control[BATCH];
    uint8_t data[BATCH][DATAGRAM_BYTES];
};

typedef struct {
    PyObject_HEAD
    struct stream *stream;
    Py_ssize_t rows;
    int32_t *row_at; /* open addressing over `places` buckets, NO_ROW where free */
    uint32_t places; /* a power of two, at least four times `rows` */
    struct inbox *inbox;
    unsigned long long packets, frames, strangers;
} StreamTable;

static PyTypeObject *ring_writer_type;

/* ---- which stream ---- */

static uint32_t bucket_of(const StreamTable *table, uint64_t address)
{
    return (uint32_t)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (table->places - 1);
}

static struct stream *find_stream(const StreamTable *table, uint64_t address, int32_t *row)
{
    for (uint32_t at = bucket_of(table, address);; at = (at + 1) & (table->places - 1)) {
        *row = table->row_at[at];
        if (*row == NO_ROW)
            return NULL;
        if (table->stream[*row].address == address)
            return &table->stream[*row];
    }
}

/* Streams come and go a few times a minute: building anew is simpler than deleting. */
static void index_streams(StreamTable *table)
{
    int32_t row;
    memset(table->row_at, 0xff, table->places * sizeof *table->row_at);
    for (Py_ssize_t i = 0; i < table->rows; i++) {
        uint64_t address = table->stream[i].address;
        if (table->stream[i].purpose == UNUSED || find_stream(table, address, &row))
            continue;
        uint32_t at = bucket_of(table, address);
        while (table->row_at[at] != NO_ROW)
            at = (at + 1) & (table->places - 1);
        table->row_at[at] = (int32_t)i;
    }
}

/* ---- receiving ---- */

static uint32_t read_u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t read_u32(const uint8_t *at)
{
    return read_u16(at) << 16 | read_u16(at + 2);
}

/* Version 2 without padding, extension and CSRCs; the next packet of its stream; one frame of the right type. */
static bool is_expected(const struct stream *stream, const uint8_t *packet, size_t length)
{
    return stream->in_step && length == RTP_HEADER_BYTES + FRAME_BYTES && packet[0] == 0x80 &&
           (packet[1] & 0x7f) == stream->payload_type && read_u16(packet + 2) == stream->sequence &&
           read_u32(packet + 4) == stream->timestamp && read_u32(packet + 8) == stream->ssrc;
}

/* L16 is big-endian on the wire (RFC 3551 section 4.5.11), frames are little-endian. */
static void swap_samples(uint8_t *restrict frame, const uint8_t *restrict payload)
{
    for (int i = 0; i < FRAME_BYTES; i += 2) {
        frame[i] = payload[i + 1];
        frame[i + 1] = payload[i];
    }
}

static void push_frame(struct stream *stream, const uint8_t *packet, uint64_t arrival_ns)
{
    uint64_t sequence = writer_head(stream->writer);
    struct slot *slot = slot_open(stream->writer, sequence);
    slot->meta = (struct frame_meta){
        .generation = stream->writer->generation,
        .capture_ns = arrival_ns - FRAME_NS,
        .timestamp = stream->timestamp,
        .length = FRAME_BYTES,
    };
    swap_samples(slot->payload, packet + RTP_HEADER_BYTES);
    slot_close(slot, sequence);
    writer_publish(stream->writer, sequence + 1);
    stream->sequence++;
    stream->timestamp += FRAME_TICKS;
    stream->touched = true;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Both clocks at one time: again, where something else ran in between. */
static void read_clocks(int64_t *wall_ns, int64_t *now_ns)
{
    for (int tries = 0; tries < CLOCK_TRIES; tries++) {
        int64_t before_ns = clock_ns(CLOCK_MONOTONIC);
        *wall_ns = clock_ns(CLOCK_REALTIME);
        *now_ns = clock_ns(CLOCK_MONOTONIC);
        if (*now_ns - before_ns < CLOCKS_APART_NS)
            return;
    }
}

/* How long ago the kernel got the message; 0 where it does not say. Its stamp is on the wall clock, which may jump. */
static int64_t age_ns(struct msghdr *header, int64_t wall_ns)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        struct timespec stamp;
        memcpy(&stamp, CMSG_DATA(item), sizeof stamp);
        int64_t age = wall_ns - (stamp.tv_sec * NS_PER_S + stamp.tv_nsec);
        return age >= 0 && age < NS_PER_S ? age : 0;
    }
    return 0;
}

static int receive_batch(struct inbox *inbox, int fd)
{
    for (int i = 0; i < BATCH; i++) {
        inbox->part[i] = (struct iovec){inbox->data[i], DATAGRAM_BYTES};
        inbox->message[i].msg_hdr = (struct msghdr){
            .msg_name = &inbox->source[i],
            .msg_namelen = sizeof inbox->source[i],
            .msg_iov = &inbox->part[i],
            .msg_iovlen = 1,
            .msg_control = &inbox->control[i],
            .msg_controllen = sizeof inbox->control[i],
        };
    }
    int count;
    do
        count = recvmmsg(fd, inbox->message, BATCH, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return count;
}

static int hand_up(PyObject *odd, int32_t row, uint64_t arrival_ns, const uint8_t *packet, size_t length)
{
    PyObject *entry = Py_BuildValue("iKy#", row, (unsigned long long)arrival_ns, packet, (Py_ssize_t)length);
    if (!entry)
        return -1;
    int failed = PyList_Append(odd, entry);
    Py_DECREF(entry);
    return failed;
}

static void find_streams(StreamTable *table, int count, int32_t *row)
{
    for (int i = 0; i < count; i++) {
        const struct sockaddr_in *source = &table->inbox->source[i];
        find_stream(table, (uint64_t)ntohl(source->sin_addr.s_addr) << 16 | ntohs(source->sin_port), &row[i]);
    }
}

static int sort_batch(StreamTable *table, int count, PyObject *odd)
{
    struct inbox *inbox = table->inbox;
    int32_t rows[BATCH];
    int64_t wall_ns, now_ns;
    read_clocks(&wall_ns, &now_ns);
    find_streams(table, count, rows);
    for (int i = 0; i < count; i++) {
        int32_t row = rows[i], soon = i + RINGS_AHEAD < count ? rows[i + RINGS_AHEAD] : NO_ROW;
        if (soon != NO_ROW && table->stream[soon].purpose == HEARD)
            writer_expect(table->stream[soon].writer);
        if (row == NO_ROW) {
            table->strangers++;
            continue;
        }
        struct stream *stream = &table->stream[row];
        if (stream->purpose == IGNORED)
            continue;
        table->packets++;
        uint64_t arrival_ns = (uint64_t)(now_ns - age_ns(&inbox->message[i].msg_hdr, wall_ns));
        if (is_expected(stream, inbox->data[i], inbox->message[i].msg_len)) {
            push_frame(stream, inbox->data[i], arrival_ns);
            table->frames++;
            continue;
        }
        stream->in_step = false;
        if (hand_up(odd, row, arrival_ns, inbox->data[i], inbox->message[i].msg_len) < 0)
            return -1;
    }
    return 0;
}

/* Wake the readers of what was pushed: fence once, mark all, then post each doorbell once. */
static void announce(StreamTable *table)
{
    struct bell_end *bell = NULL;
    atomic_thread_fence(memory_order_seq_cst);
    for (Py_ssize_t i = 0; i < table->rows; i++) {
        struct stream *stream = &table->stream[i];
        if (!stream->touched)
            continue;
        stream->touched = false;
        writer_mark(stream->writer);
        if (bell && bell->shared != stream->writer->bell.shared)
            bell_wake(bell);
        bell = &stream->writer->bell;
    }
    if (bell)
        bell_wake(bell);
}

static PyObject *StreamTable_receive(StreamTable *table, PyObject *argument)
{
    int fd = PyObject_AsFileDescriptor(argument);
    if (fd < 0)
        return NULL;
    PyObject *odd = PyList_New(0);
    if (!odd)
        return NULL;
    int count = BATCH, failed = 0;
    for (int batch = 0; batch < MAX_BATCHES && count == BATCH && !failed; batch++) {
        count = receive_batch(table->inbox, fd);
        if (count > 0)
            failed = sort_batch(table, count, odd);
    }
    announce(table);
    if (count < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    if (count < 0 || failed)
        Py_CLEAR(odd);
    return odd;
}

/* ---- telling the table what to expect ---- */

static struct stream *stream_at(StreamTable *table, Py_ssize_t row)
{
    if (row >= 0 && row < table->rows)
        return &table->stream[row];
    PyErr_Format(PyExc_IndexError, "the table has rows 0 to %zd, not %zd", table->rows - 1, row);
    return NULL;
}

static void clear_stream(struct stream *stream)
{
    PyObject *writer = stream->writer_object;
    *stream = (struct stream){.purpose = UNUSED};
    Py_XDECREF(writer);
}

static PyObject *StreamTable_hear(StreamTable *table, PyObject *arguments)
{
    Py_ssize_t row;
    unsigned long long address;
    PyObject *writer;
    unsigned char payload_type;
    if (!PyArg_ParseTuple(arguments, "nKO!b", &row, &address, ring_writer_type, &writer, &payload_type))
        return NULL;
    struct stream *stream = stream_at(table, row);
    if (!stream)
        return NULL;
    Py_INCREF(writer);
    clear_stream(stream);
    stream->address = address;
    stream->purpose = HEARD;
    stream->writer_object = writer;
    stream->writer = &((RingWriterObject *)writer)->writer;
    stream->payload_type = payload_type;
    index_streams(table);
    Py_RETURN_NONE;
}

static PyObject *StreamTable_ignore(StreamTable *table, PyObject *arguments)
{
    Py_ssize_t row;
    unsigned long long address;
    if (!PyArg_ParseTuple(arguments, "nK", &row, &address))
        return NULL;
    struct stream *stream = stream_at(table, row);
    if (!stream)
        return NULL;
    clear_stream(stream);
    stream->address = address;
    stream->purpose = IGNORED;
    index_streams(table);
    Py_RETURN_NONE;
}

static PyObject *StreamTable_forget(StreamTable *table, PyObject *argument)
{
    Py_ssize_t row = PyNumber_AsSsize_t(argument, PyExc_IndexError);
    struct stream *stream = row == -1 && PyErr_Occurred() ? NULL : stream_at(table, row);
    if (!stream)
        return NULL;
    clear_stream(stream);
    index_streams(table);
    Py_RETURN_NONE;
}

static PyObject *StreamTable_expect(StreamTable *table, PyObject *arguments)
{
    Py_ssize_t row;
    unsigned int ssrc, sequence, timestamp;
    if (!PyArg_ParseTuple(arguments, "nIII", &row, &ssrc, &sequence, &timestamp))
        return NULL;
    struct stream *stream = stream_at(table, row);
    if (!stream)
        return NULL;
    if (stream->purpose != HEARD) {
        PyErr_Format(PyExc_ValueError, "nothing is heard on row %zd", row);
        return NULL;
    }
    stream->ssrc = ssrc;
    stream->sequence = (uint16_t)sequence;
    stream->timestamp = timestamp;
    stream->in_step = true;
    Py_RETURN_NONE;
}

static PyObject *StreamTable_expected(StreamTable *table, PyObject *argument)
{
    Py_ssize_t row = PyNumber_AsSsize_t(argument, PyExc_IndexError);
    struct stream *stream = row == -1 && PyErr_Occurred() ? NULL : stream_at(table, row);
    if (!stream)
        return NULL;
    return Py_BuildValue("III", stream->ssrc, stream->sequence, stream->timestamp);
}

/* ---- sending ---- */

struct outbox {
    struct mmsghdr message[BATCH];
    struct iovec part[BATCH];
    struct sockaddr_in target[BATCH];
};

/* `packet` stays borrowed: the caller's sequence keeps it until the batch is out. */
static int put_packet(struct outbox *outbox, int at, PyObject *item)
{
    unsigned long long address;
    char *packet;
    Py_ssize_t length;
    PyObject *bytes;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a packet to send is a tuple of address and bytes");
        return -1;
    }
    if (!PyArg_ParseTuple(item, "KS", &address, &bytes) || PyBytes_AsStringAndSize(bytes, &packet, &length) < 0)
        return -1;
    outbox->part[at] = (struct iovec){packet, (size_t)length};
    outbox->target[at] = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)address),
        .sin_addr.s_addr = htonl((uint32_t)(address >> 16)),
    };
    outbox->message[at].msg_hdr = (struct msghdr){
        .msg_name = &outbox->target[at],
        .msg_namelen = sizeof outbox->target[at],
        .msg_iov = &outbox->part[at],
        .msg_iovlen = 1,
    };
    return 0;
}

/* Returns how many went out. A packet that the kernel refuses is left out; a full socket ends the batch. */
static int send_batch(struct outbox *outbox, int fd, int count)
{
    int sent = 0;
    for (int at = 0; at < count;) {
        int accepted = sendmmsg(fd, outbox->message + at, (unsigned int)(count - at), MSG_DONTWAIT);
        if (accepted > 0) {
            sent += accepted;
            at += accepted;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            break;
        } else if (errno != EINTR) {
            at++;
        }
    }
    return sent;
}

static PyObject *send_packets(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *packets;
    int fd;
    if (!PyArg_ParseTuple(arguments, "iO!", &fd, &PyList_Type, &packets))
        return NULL;
    struct outbox outbox;
    long sent = 0;
    Py_ssize_t total = PyList_GET_SIZE(packets);
    for (Py_ssize_t first = 0; first < total; first += BATCH) {
        int count = (int)Py_MIN(BATCH, total - first);
        for (int i = 0; i < count; i++)
            if (put_packet(&outbox, i, PyList_GET_ITEM(packets, first + i)) < 0)
                return NULL;
        sent += send_batch(&outbox, fd, count);
    }
    return PyLong_FromLong(sent);
}

/* ---- the module ---- */

static void StreamTable_dealloc(StreamTable *table)
{
    for (Py_ssize_t i = 0; table->stream && i < table->rows; i++)
        clear_stream(&table->stream[i]);
    PyMem_Free(table->stream);
    PyMem_Free(table->row_at);
    PyMem_Free(table->inbox);
    Py_TYPE(table)->tp_free((PyObject *)table);
}

static PyObject *StreamTable_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"rows", NULL};
    Py_ssize_t rows;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "n", names, &rows))
        return NULL;
    if (rows < 1 || rows > 1 << 20) {
        PyErr_Format(PyExc_ValueError, "a stream table has 1 to %d rows, not %zd", 1 << 20, rows);
        return NULL;
    }
    StreamTable *table = (StreamTable *)type->tp_alloc(type, 0);
    if (!table)
        return NULL;
    table->rows = rows;
    table->places = 4;
    while (table->places < 4 * (uint32_t)rows)
        table->places *= 2;
    table->stream = PyMem_Calloc((size_t)rows, sizeof *table->stream);
    table->row_at = PyMem_Calloc(table->places, sizeof *table->row_at);
    table->inbox = PyMem_Calloc(1, sizeof *table->inbox);
    if (!table->stream || !table->row_at || !table->inbox) {
        Py_DECREF(table);
        return PyErr_NoMemory();
    }
    index_streams(table);
    return (PyObject *)table;
}

static PyMethodDef StreamTable_methods[] = {
    {"hear", (PyCFunction)StreamTable_hear, METH_VARARGS, NULL},
    {"ignore", (PyCFunction)StreamTable_ignore, METH_VARARGS, NULL},
    {"forget", (PyCFunction)StreamTable_forget, METH_O, NULL},
    {"expect", (PyCFunction)StreamTable_expect, METH_VARARGS, NULL},
    {"expected", (PyCFunction)StreamTable_expected, METH_O, NULL},
    {"receive", (PyCFunction)StreamTable_receive, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef StreamTable_members[] = {
    {"packets", T_ULONGLONG, offsetof(StreamTable, packets), READONLY, NULL},
    {"frames", T_ULONGLONG, offsetof(StreamTable, frames), READONLY, NULL},
    {"strangers", T_ULONGLONG, offsetof(StreamTable, strangers), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject StreamTable_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "appliance.frames._datagrams.StreamTable",
    .tp_basicsize = sizeof(StreamTable),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = StreamTable_new,
    .tp_dealloc = (destructor)StreamTable_dealloc,
    .tp_methods = StreamTable_methods,
    .tp_members = StreamTable_members,
};

static PyMethodDef module_functions[] = {
    {"send", send_packets, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_datagrams",
    .m_size = -1,
    .m_methods = module_functions,
};

static PyTypeObject *import_ring_writer(void)
{
    PyObject *ring = PyImport_ImportModule("appliance.frames._ring");
    PyObject *type = ring ? PyObject_GetAttrString(ring, "RingWriter") : NULL;
    Py_XDECREF(ring);
    return (PyTypeObject *)type;
}

PyMODINIT_FUNC PyInit__datagrams(void)
{
    ring_writer_type = import_ring_writer();
    if (!ring_writer_type)
        return NULL;
    PyObject *module = PyModule_Create(&module_definition);
    if (module && PyModule_AddType(module, &StreamTable_type) < 0)
        Py_CLEAR(module);
    return module;
}
