// A connection to servers of NATS with JetStream, as HongbaoNATS needs it: one stream whose messages are taken by
// whoever works, and one consumer that all workers share.
//
// The library's headers stay behind this one, so that the Swift code compiles on a machine without them. Functions that
// answer `int` answer 0 when it worked, and else a number that `nats_client_text` has a text for.
#ifndef C_NATS_CLIENT_H
#define C_NATS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct nats_client nats_client;

/// Told of each message that was sent: whether the servers have it (0). On a thread of the library's.
typedef void (*nats_client_told)(uint64_t client, uintptr_t message, int code);

/// Told of each message that was fetched, before `nats_client_fetch` returns. What it's given is gone afterwards.
typedef void (*nats_client_taken)(
    void *context, const char *subject, const char *reply, const char *id, uint64_t delivered, const char *bytes,
    size_t count);

/// Where the servers are and what is asked of them. A string that isn't there is NULL.
typedef struct {
    /// Such as nats://user:password@10.0.0.5:4222
    const char *const *servers;
    int server_count;
    const char *name;
    int requires_tls;
    const char *authority_file;
    const char *certificate_file;
    const char *key_file;
    /// What a user of an operator's shows, as `nsc` writes it.
    const char *credentials_file;
    /// How long the servers may take over an answer.
    int64_t answer_milliseconds;
    int in_flight_max;

    const char *stream;
    const char *subjects;
    const char *consumer;
    int replicas;
    int64_t messages_max;
    int32_t message_bytes_max;
    int64_t age_milliseconds;
    int64_t repeat_milliseconds;
    int64_t acknowledge_milliseconds;
    int64_t unacknowledged_max;
} nats_client_options;

/// Tries to connect, for as long as the first attempts take; afterwards it goes on trying by itself. NULL only when the
/// options are of no use or there is no memory, with the reason in `code`. `client` is what `told` hears.
nats_client *nats_client_open(const nats_client_options *options, uint64_t client, nats_client_told told, int *code);
/// Nothing else may be under way on it. What was sent and isn't known yet is told of, or never.
void nats_client_close(nats_client *client);

int nats_client_is_connected(nats_client *client);
const char *nats_client_text(int code);

/// Makes the stream and the consumer, where they aren't there.
int nats_client_set_up(nats_client *client);

/// A message that isn't sent yet; 0 when there is no memory.
uintptr_t nats_client_message(const char *subject, const void *bytes, size_t count);
/// `told` is told of it unless this fails. Either way the message is gone.
int nats_client_send(nats_client *client, uintptr_t message, const char *id);
/// Acknowledges a delivery, or whatever else the text says, at its reply subject.
int nats_client_reply(nats_client *client, const char *subject, const char *text);

/// Waits for the first message; takes along what else is there. None at all is no error, and may be answered too soon,
/// when the end of an earlier wait comes late. One thread at a time.
int nats_client_fetch(nats_client *client, int max, int64_t wait_milliseconds, nats_client_taken taken, void *context);

#endif
