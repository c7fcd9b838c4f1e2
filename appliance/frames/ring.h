/* The layout of rings and doorbells in shared memory, and the inline push and pop that the extension modules share.
 *
 * One writer, one reader, no mutex: kill -9 at any instant leaves nothing that another process waits for.
 * The writer never looks at the reader: it overwrites the oldest frame. The reader finds out by sequence number.
 * Every slot is a seqlock; memcpy may race with the other side, and a copy that did is thrown away by its lock.
 */
#ifndef DRAGOMAN_RING_H
#define DRAGOMAN_RING_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_BYTES 640
#define CACHE_LINE 64
#define RING_MAGIC UINT64_C(0x676e69722d6d7264) /* "drm-ring" */
#define BELL_RINGS 2048 /* rings that one doorbell can tell apart */
#define BELL_WORDS (BELL_RINGS / 64)

enum { FLAG_START = 1, FLAG_END = 2, FLAG_CONCEALED = 4, FLAG_DISCONTINUITY = 8 };

/* What a frame says about itself. */
struct frame_meta {
    uint64_t generation; /* which life of the writer pushed it */
    uint64_t capture_ns; /* CLOCK_MONOTONIC */
    uint64_t stream;
    uint32_t timestamp; /* media clock */
    uint32_t flags;
    uint32_t length; /* bytes of payload in use */
    uint32_t index;  /* outside of rings only: which of many readers it came from */
};

struct slot {
    _Alignas(CACHE_LINE) _Atomic uint64_t lock; /* 2s + 1 while frame s is being written, 2s + 2 once it is whole */
    struct frame_meta meta;
    _Alignas(CACHE_LINE) uint8_t payload[FRAME_BYTES];
};

/* Three cache lines, so that the two sides share only what they must. */
struct ring {
    _Alignas(CACHE_LINE) uint64_t magic; /* constant once formatted, as are the next three */
    uint64_t slots;                      /* a power of two */
    uint64_t slots_at;                   /* bytes from here to the first slot: headers lie together, on few pages */
    uint64_t step;                       /* bytes from one slot to the next: those of other rings may lie between */
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* the writer's: sequence of the next frame */
    _Atomic uint64_t generation;
    _Atomic uint64_t shift; /* frame s lies in slot (s + shift) % slots */
    _Alignas(CACHE_LINE) _Atomic uint64_t position; /* the reader's: sequence it reads next */
    _Atomic uint64_t committed;                     /* where a restarted reader resumes */
    _Atomic uint64_t dropped;
    _Atomic uint64_t torn;
};

static inline struct slot *ring_slot(struct ring *ring, uint64_t sequence)
{
    uint64_t shift = atomic_load_explicit(&ring->shift, memory_order_relaxed);
    return (struct slot *)((uint8_t *)ring + ring->slots_at + ((sequence + shift) & (ring->slots - 1)) * ring->step);
}

/* One per consumer process: which of its rings have something new, and whether it may be asleep. */
struct bell {
    _Alignas(CACHE_LINE) _Atomic uint32_t sleeping;
    _Alignas(CACHE_LINE) _Atomic uint64_t dirty[BELL_WORDS];
};

_Static_assert(sizeof(struct slot) == CACHE_LINE + FRAME_BYTES, "a slot is a 64-byte header and one frame");
_Static_assert(sizeof(struct frame_meta) == 40, "a frame's metadata has no holes");
_Static_assert(sizeof(struct ring) == 3 * CACHE_LINE, "a ring's header is three cache lines");

/* One process's ends of the above. `bell.shared` is NULL where nobody wants to be woken. */
struct bell_end {
    struct bell *shared;
    sem_t *semaphore;
};

struct ring_writer {
    struct ring *ring;
    uint8_t *slots; /* this and the next two are copies: a damaged header must not send us outside the ring */
    uint64_t step;
    uint64_t mask;  /* slots - 1 */
    uint64_t shift; /* this one and the next are ours alone, so no need to fetch the shared ones */
    uint64_t head;  /* sequence of the next frame */
    uint64_t generation;
    struct bell_end bell;
    uint32_t bit; /* this ring's in bell.dirty */
};

struct ring_reader {
    struct ring *ring;
    uint8_t *slots;
    uint64_t step;
    uint64_t mask;
    uint64_t position;
    struct bell_end bell;
    uint32_t bit;
};

/* A frame out of its ring: FRAME_RECORD of ring.py. */
struct frame {
    uint64_t sequence;
    struct frame_meta meta;
    uint8_t payload[FRAME_BYTES];
};

static inline struct slot *writer_slot(const struct ring_writer *writer, uint64_t sequence)
{
    return (struct slot *)(writer->slots + ((sequence + writer->shift) & writer->mask) * writer->step);
}

/* A shift newer than the frame leads to another frame's slot, whose lock gives it away. */
static inline struct slot *reader_slot(const struct ring_reader *reader, uint64_t sequence)
{
    uint64_t shift = atomic_load_explicit(&reader->ring->shift, memory_order_relaxed);
    return (struct slot *)(reader->slots + ((sequence + shift) & reader->mask) * reader->step);
}

/* ---- cold memory ---- */

/* A tick goes through all rings, and each has moved on to a slot that no cache has seen for a lap: fetch the slots of
 * the rings to come while this one is copied. Measured with 200 rings: 4 to 8 ahead are alike, 2 are too late. */
#define RINGS_AHEAD 6

/* In assembler, for GCC takes functions that do nothing but __builtin_prefetch for functions that do nothing (seen with
 * 12.2), and does not ask for ownership without being told which processor it compiles for. */
#if defined(__x86_64__)
#define fetch_to_read(at) __asm__ volatile("prefetcht0 %0" : : "m"(*(const uint8_t *)(at)))
#define fetch_to_write(at) __asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)(at)))
#elif defined(__aarch64__)
#define fetch_to_read(at) __asm__ volatile("prfm pldl1keep, %0" : : "Q"(*(const uint8_t *)(at)))
#define fetch_to_write(at) __asm__ volatile("prfm pstl1keep, %0" : : "Q"(*(const uint8_t *)(at)))
#else
#define fetch_to_read(at) ((void)(at))
#define fetch_to_write(at) ((void)(at))
#endif

/* ---- writing ---- */

static inline uint64_t writer_head(const struct ring_writer *writer)
{
    return writer->head;
}

/* Have the slot of the next frame in the cache soon. */
static inline void writer_expect(const struct ring_writer *writer)
{
    const uint8_t *slot = (const uint8_t *)writer_slot(writer, writer->head);
    fetch_to_write(&writer->ring->head);
    for (size_t line = 0; line < sizeof(struct slot); line += CACHE_LINE)
        fetch_to_write(slot + line);
}

/* Take the slot of frame `sequence` for writing. Fill in its payload and metadata, then slot_close it. */
static inline struct slot *slot_open(struct ring_writer *writer, uint64_t sequence)
{
    struct slot *slot = writer_slot(writer, sequence);
    atomic_store_explicit(&slot->lock, 2 * sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* whoever sees a byte of what follows also sees the odd lock */
    return slot;
}

static inline void slot_close(struct slot *slot, uint64_t sequence)
{
    atomic_store_explicit(&slot->lock, 2 * sequence + 2, memory_order_release);
}

/* Let the reader see every frame before `head`. Wakes nobody: see writer_mark and bell_wake. */
static inline void writer_publish(struct ring_writer *writer, uint64_t head)
{
    writer->head = head;
    atomic_store_explicit(&writer->ring->head, head, memory_order_release);
}

/* Have the next frame in slot `position` of the ring, whatever its sequence is. Frames pushed before are lost. */
static inline void writer_line_up(struct ring_writer *writer, uint64_t position)
{
    writer->shift = (position - writer->head) & writer->mask;
    atomic_store_explicit(&writer->ring->shift, writer->shift, memory_order_relaxed); /* published with the next head */
}

/* Write frame `sequence` without publishing it; `meta->length` bytes are taken from `payload`. */
static inline void writer_put(struct ring_writer *writer, uint64_t sequence, const struct frame_meta *meta,
                              const void *payload)
{
    struct slot *slot = slot_open(writer, sequence);
    slot->meta = *meta;
    slot->meta.generation = writer->generation;
    memcpy(slot->payload, payload, meta->length);
    slot_close(slot, sequence);
}

/* ---- waking ---- */

static inline void bell_mark(struct bell *bell, uint32_t bit)
{
    _Atomic uint64_t *word = &bell->dirty[bit / 64];
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (!(atomic_load_explicit(word, memory_order_relaxed) & mask))
        atomic_fetch_or_explicit(word, mask, memory_order_seq_cst);
}

static inline void bell_unmark(struct bell *bell, uint32_t bit)
{
    _Atomic uint64_t *word = &bell->dirty[bit / 64];
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (atomic_load_explicit(word, memory_order_relaxed) & mask)
        atomic_fetch_and_explicit(word, ~mask, memory_order_seq_cst);
}

static inline bool bell_marked(const struct bell *bell, uint32_t bit)
{
    return atomic_load_explicit(&bell->dirty[bit / 64], memory_order_relaxed) >> (bit % 64) & 1;
}

/* After writer_publish and a seq_cst fence: say which ring has news. */
static inline void writer_mark(struct ring_writer *writer)
{
    if (writer->bell.shared)
        bell_mark(writer->bell.shared, writer->bit);
}

/* After the marks: post the semaphore if the consumer said it may sleep.
 *
 * Store, fence, load on both sides (the consumer: sleeping, fence, dirty; here: dirty, fence, sleeping), or each could
 * miss the other and the frame would wait for the consumer's timeout. */
static inline void bell_wake(struct bell_end *bell)
{
    if (!bell->shared)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&bell->shared->sleeping, memory_order_relaxed) &&
        atomic_exchange_explicit(&bell->shared->sleeping, 0, memory_order_seq_cst))
        sem_post(bell->semaphore);
}

/* Mark and wake for one ring. Batches call the three steps themselves: fence once, mark all, wake once. */
static inline void writer_announce(struct ring_writer *writer)
{
    atomic_thread_fence(memory_order_seq_cst); /* against reader_rest: our head before its bit, its bit before our head */
    writer_mark(writer);
    bell_wake(&writer->bell);
}

/* Push one frame and publish it, waking nobody. Returns its sequence. */
static inline uint64_t writer_push(struct ring_writer *writer, const struct frame_meta *meta, const void *payload)
{
    uint64_t sequence = writer_head(writer);
    writer_put(writer, sequence, meta, payload);
    writer_publish(writer, sequence + 1);
    return sequence;
}

/* ---- reading ---- */

/* Add to a counter that only this process writes and others read. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

/* Have the next frame in the cache soon. */
static inline void reader_expect(const struct ring_reader *reader)
{
    const uint8_t *slot = (const uint8_t *)reader_slot(reader, reader->position);
    fetch_to_read(&reader->ring->head);
    for (size_t line = 0; line < sizeof(struct slot); line += CACHE_LINE)
        fetch_to_read(slot + line);
}

/* Copy frame `sequence` out of its slot. False: it has been, or is being, overwritten; `frame` is then rubbish. */
static inline bool slot_copy(struct ring_reader *reader, uint64_t sequence, struct frame *frame, bool *torn)
{
    struct slot *slot = reader_slot(reader, sequence);
    *torn = false;
    if (atomic_load_explicit(&slot->lock, memory_order_acquire) != 2 * sequence + 2)
        return false;
    frame->sequence = sequence;
    frame->meta = slot->meta;
    memcpy(frame->payload, slot->payload, frame->meta.length <= FRAME_BYTES ? frame->meta.length : 0);
    atomic_thread_fence(memory_order_acquire); /* the copy before the second look at the lock */
    *torn = atomic_load_explicit(&slot->lock, memory_order_relaxed) != 2 * sequence + 2;
    return !*torn && frame->meta.length <= FRAME_BYTES;
}

/* A lapped reader jumps to a little after the oldest frame, because that one is about to be overwritten. */
static inline void reader_jump(struct ring_reader *reader, uint64_t head)
{
    uint64_t slots = reader->mask + 1;
    uint64_t target = head - slots + slots / 16;
    counter_add(&reader->ring->dropped, target - reader->position);
    reader->position = target;
}

/* Take the next frame. False: there is none now. Frames that were overwritten are skipped and counted. */
static inline bool reader_take(struct ring_reader *reader, struct frame *frame)
{
    bool torn;
    for (;;) {
        uint64_t head = atomic_load_explicit(&reader->ring->head, memory_order_acquire);
        if (reader->position >= head)
            return false;
        if (head - reader->position > reader->mask + 1)
            reader_jump(reader, head);
        if (slot_copy(reader, reader->position++, frame, &torn))
            return true;
        counter_add(&reader->ring->dropped, 1);
        counter_add(&reader->ring->torn, torn);
    }
}

static inline bool reader_has_more(const struct ring_reader *reader)
{
    return atomic_load_explicit(&reader->ring->head, memory_order_acquire) > reader->position;
}

/* The reader found nothing: take its mark off the doorbell. False: something came meanwhile, look again. */
static inline bool reader_rest(struct ring_reader *reader)
{
    if (!reader->bell.shared)
        return true;
    bell_unmark(reader->bell.shared, reader->bit);
    atomic_thread_fence(memory_order_seq_cst);
    if (!reader_has_more(reader))
        return true;
    bell_mark(reader->bell.shared, reader->bit); /* that writer may have seen the mark before we took it off */
    return false;
}

/* Let others see how far this reader is. */
static inline void reader_show(struct ring_reader *reader)
{
    atomic_store_explicit(&reader->ring->position, reader->position, memory_order_relaxed);
}

#ifdef Py_PYTHON_H
/* What `_ring.RingWriter` looks like to another extension module, which checks the type before it casts. */
typedef struct {
    PyObject_HEAD
    struct ring_writer writer; /* first: what is used at each frame lies together */
    PyObject *doorbell; /* owned: keeps the semaphore open */
    Py_buffer memory;
} RingWriterObject;
#endif

#endif
