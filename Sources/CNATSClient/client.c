#include "CNATSClient.h"

// Without the trait this file is empty, and nothing that links needs it.
#ifdef HONGBAO_NATS

#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>

struct nats_client {
    natsConnection *connection;
    jsCtx *stream;
    natsSubscription *pull;
    nats_client_told told;
    uint64_t number;
    // Strings are copies.
    nats_client_options options;
    char *texts[3];
};

static const int64_t NANOSECONDS = 1000 * 1000;

// Who is told, not the client: the library may still tell while that is closed.
struct listener {
    uint64_t number;
    nats_client_told told;
};

static void on_told(jsCtx *stream, natsMsg *message, jsPubAck *taken, jsPubAckErr *fault, void *closure) {
    struct listener *listener = closure;
    int code = 0;
    if (fault) code = fault->Err != NATS_OK ? (int)fault->Err : NATS_ERR;
    else if (!taken) code = NATS_ERR;
    listener->told(listener->number, (uintptr_t)message, code);
    natsMsg_Destroy(message);
    (void)stream;
}

// With somebody to tell, connecting doesn't keep who asks for it until a server is there; nobody could end that.
static void on_connected(natsConnection *connection, void *closure) {
    (void)connection;
    (void)closure;
}

static natsStatus configure(natsOptions *o, const nats_client_options *options) {
    natsStatus s = natsOptions_SetServers(o, (const char **)options->servers, options->server_count);
    if (s == NATS_OK) s = natsOptions_SetName(o, options->name);
    if (s == NATS_OK) s = natsOptions_SetTimeout(o, 1000);
    if (s == NATS_OK) s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK) s = natsOptions_SetReconnectWait(o, 100);
    if (s == NATS_OK) s = natsOptions_SetReconnectJitter(o, 100, 100);
    if (s == NATS_OK) s = natsOptions_SetRetryOnFailedConnect(o, true, on_connected, NULL);
    // Nothing is kept for servers that are away: who publishes is told that they are.
    if (s == NATS_OK) s = natsOptions_SetReconnectBufSize(o, 1);
    if (s == NATS_OK) s = natsOptions_SetFailRequestsOnDisconnect(o, true);
    // A server that is silent is given up after three seconds.
    if (s == NATS_OK) s = natsOptions_SetPingInterval(o, 1000);
    if (s == NATS_OK) s = natsOptions_SetMaxPingsOut(o, 2);
    if (s == NATS_OK) s = natsOptions_SetWriteDeadline(o, options->answer_milliseconds);
    if (s == NATS_OK && options->requires_tls) s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK && options->authority_file)
        s = natsOptions_LoadCATrustedCertificates(o, options->authority_file);
    if (s == NATS_OK && options->certificate_file)
        s = natsOptions_LoadCertificatesChain(o, options->certificate_file, options->key_file);
    if (s == NATS_OK && options->credentials_file)
        s = natsOptions_SetUserCredentialsFromFiles(o, options->credentials_file, NULL);
    return s;
}

static natsStatus open_stream(nats_client *client) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = client->options.answer_milliseconds;
    options.PublishAsync.MaxPending = client->options.in_flight_max;
    options.PublishAsync.StallWait = client->options.answer_milliseconds;
    options.PublishAsync.AckHandler = on_told;
    // Never freed: a few bytes for each client.
    struct listener *listener = malloc(sizeof *listener);
    if (!listener) return NATS_NO_MEMORY;
    listener->number = client->number;
    listener->told = client->told;
    options.PublishAsync.AckHandlerClosure = listener;
    return natsConnection_JetStream(&client->stream, client->connection, &options);
}

nats_client *nats_client_open(const nats_client_options *options, uint64_t number, nats_client_told told, int *code) {
    nats_client *client = calloc(1, sizeof *client);
    natsOptions *o = NULL;
    natsStatus s = client ? natsOptions_Create(&o) : NATS_NO_MEMORY;
    if (s == NATS_OK) {
        client->number = number;
        client->told = told;
        client->options = *options;
        const char **texts[] = {&client->options.stream, &client->options.subjects, &client->options.consumer};
        for (int i = 0; i < 3; i++) {
            client->texts[i] = strdup(*texts[i]);
            *texts[i] = client->texts[i];
            if (!client->texts[i]) s = NATS_NO_MEMORY;
        }
    }
    if (s == NATS_OK) s = configure(o, options);
    if (s == NATS_OK) s = natsConnection_Connect(&client->connection, o);
    if (s == NATS_NOT_YET_CONNECTED) s = NATS_OK;
    if (s == NATS_OK) s = open_stream(client);
    natsOptions_Destroy(o);
    *code = (int)s;
    if (s == NATS_OK) return client;
    if (client) nats_client_close(client);
    return NULL;
}

void nats_client_close(nats_client *client) {
    if (client->connection) natsConnection_Close(client->connection);
    natsSubscription_Destroy(client->pull);
    jsCtx_Destroy(client->stream);
    natsConnection_Destroy(client->connection);
    for (int i = 0; i < 3; i++) free(client->texts[i]);
    free(client);
}

int nats_client_is_connected(nats_client *client) {
    return natsConnection_Status(client->connection) == NATS_CONN_STATUS_CONNECTED;
}

const char *nats_client_text(int code) { return natsStatus_GetText((natsStatus)code); }

static natsStatus set_up_stream(nats_client *client, const nats_client_options *options) {
    jsStreamInfo *info = NULL;
    jsErrCode error = 0;
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = options->stream;
    const char *subjects[] = {options->subjects};
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Retention = js_WorkQueuePolicy;
    config.Discard = js_DiscardOld;
    config.Storage = js_FileStorage;
    config.Replicas = options->replicas;
    config.MaxMsgs = options->messages_max;
    config.MaxMsgSize = options->message_bytes_max;
    config.MaxAge = options->age_milliseconds * NANOSECONDS;
    config.Duplicates = options->repeat_milliseconds * NANOSECONDS;
    natsStatus s = js_AddStream(&info, client->stream, &config, NULL, &error);
    // It's there, and was made with other settings.
    if (s != NATS_OK && error == JSStreamNameExistErr)
        s = js_UpdateStream(&info, client->stream, &config, NULL, &error);
    jsStreamInfo_Destroy(info);
    return s;
}

static natsStatus set_up_consumer(nats_client *client, const nats_client_options *options) {
    jsConsumerInfo *info = NULL;
    jsErrCode error = 0;
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = options->consumer;
    config.AckPolicy = js_AckExplicit;
    config.DeliverPolicy = js_DeliverAll;
    config.AckWait = options->acknowledge_milliseconds * NANOSECONDS;
    config.MaxAckPending = options->unacknowledged_max;
    natsStatus s = js_AddConsumer(&info, client->stream, options->stream, &config, NULL, &error);
    jsConsumerInfo_Destroy(info);
    if (s != NATS_OK || client->pull) return s;
    jsSubOptions bound;
    jsSubOptions_Init(&bound);
    bound.Stream = options->stream;
    bound.Consumer = options->consumer;
    return js_PullSubscribe(&client->pull, client->stream, options->subjects, NULL, NULL, &bound, &error);
}

int nats_client_set_up(nats_client *client) {
    natsStatus s = set_up_stream(client, &client->options);
    if (s == NATS_OK) s = set_up_consumer(client, &client->options);
    return (int)s;
}

uintptr_t nats_client_message(const char *subject, const void *bytes, size_t count) {
    natsMsg *message = NULL;
    natsMsg_Create(&message, subject, NULL, bytes, (int)count);
    return (uintptr_t)message;
}

int nats_client_send(nats_client *client, uintptr_t number, const char *id) {
    natsMsg *message = (natsMsg *)number;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    options.MaxWait = client->options.answer_milliseconds;
    natsStatus s = js_PublishMsgAsync(client->stream, &message, &options);
    natsMsg_Destroy(message);
    return (int)s;
}

int nats_client_reply(nats_client *client, const char *subject, const char *text) {
    return (int)natsConnection_PublishString(client->connection, subject, text);
}

static void hand_over(natsMsgList *list, nats_client_taken taken, void *context) {
    for (int i = 0; i < list->Count; i++) {
        natsMsg *message = list->Msgs[i];
        if (!message) continue;
        const char *id = NULL;
        jsMsgMetaData *data = NULL;
        natsMsgHeader_Get(message, "Nats-Msg-Id", &id);
        natsMsg_GetMetaData(&data, message);
        taken(context, natsMsg_GetSubject(message), natsMsg_GetReply(message), id ? id : "",
              data ? data->NumDelivered : 1, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
        jsMsgMetaData_Destroy(data);
    }
    natsMsgList_Destroy(list);
}

int nats_client_fetch(nats_client *client, int max, int64_t wait_milliseconds, nats_client_taken taken, void *context) {
    if (!client->pull) return NATS_NOT_FOUND;
    natsMsgList list = {0};
    jsErrCode error = 0;
    // Asked for more, the library would wait for all of them.
    natsStatus s = natsSubscription_Fetch(&list, client->pull, 1, wait_milliseconds, &error);
    if (s == NATS_TIMEOUT) return NATS_OK;
    if (s != NATS_OK) return (int)s;
    hand_over(&list, taken, context);
    if (max == 1) return NATS_OK;
    memset(&list, 0, sizeof list);
    // Whatever becomes of this, there is the first one. What comes too late for it is fetched next time.
    if (natsSubscription_Fetch(&list, client->pull, max - 1, 5, &error) == NATS_OK) hand_over(&list, taken, context);
    return NATS_OK;
}

#endif
