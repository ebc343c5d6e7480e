#include "CMySQLClient.h"

// Without the trait this file is empty, and nothing that links needs it.
#ifdef HONGBAO_MYSQL

#include <mysql.h>
#include <stdlib.h>
#include <string.h>

struct client_connection {
    MYSQL *raw;
    // Of the last fault; a statement's own are gone when it's closed.
    unsigned number;
    char text[512];
};

enum kind { NUMBER, BYTES, TEXT };

struct client_statement {
    client_connection *connection;
    MYSQL_STMT *raw;
    MYSQL_RES *metadata;

    // Parameters lie column by column, each with room for `capacity` rows. What is bound as bytes is in `arena`, and
    // its number is the place there.
    unsigned parameters;
    unsigned capacity;
    MYSQL_BIND *binds;
    enum kind *kinds;
    int64_t *numbers;
    char **pointers;
    unsigned long *counts;
    char *indicators;
    uint8_t *arena;
    size_t used;
    size_t room;

    unsigned columns;
    MYSQL_BIND *results;
    int64_t *values;
    unsigned long *lengths;
    my_bool *nulls;
    uint8_t **buffers;
    // Of values that are longer than the bound buffers.
    uint8_t **larges;
    unsigned long *sizes;
};

// Bytes up to this many come with the row; longer ones are fetched one by one.
enum { SHORT = 64 };

static int note(client_connection *connection, unsigned number, const char *text) {
    connection->number = number;
    strncpy(connection->text, text, sizeof connection->text - 1);
    return -1;
}

static int fault(client_statement *statement) {
    return note(statement->connection, mysql_stmt_errno(statement->raw), mysql_stmt_error(statement->raw));
}

int client_set_up(void) { return mysql_library_init(0, NULL, NULL); }
int client_begin_thread(void) { return mysql_thread_init(); }
void client_end_thread(void) { mysql_thread_end(); }

client_connection *client_connect(const client_options *options) {
    client_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    MYSQL *raw = mysql_init(NULL);
    if (!raw) {
        note(connection, 2008, "no memory");
        return connection;
    }
    connection->raw = raw;
    my_bool yes = 1, no = 0;
    my_bool tls = options->requires_tls != 0;
    unsigned protocol = options->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_options(raw, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(raw, MYSQL_OPT_CONNECT_TIMEOUT, &options->connect_seconds);
    mysql_options(raw, MYSQL_OPT_READ_TIMEOUT, &options->answer_seconds);
    mysql_options(raw, MYSQL_OPT_WRITE_TIMEOUT, &options->answer_seconds);
    mysql_options(raw, MYSQL_OPT_RECONNECT, &no);
    mysql_options(raw, MYSQL_OPT_LOCAL_INFILE, NULL);
    mysql_options(raw, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(raw, MYSQL_REPORT_DATA_TRUNCATION, &no);
    if (tls) {
        mysql_options(raw, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(raw, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
        if (options->authority_file) mysql_options(raw, MYSQL_OPT_SSL_CA, options->authority_file);
        if (options->certificate_file) mysql_options(raw, MYSQL_OPT_SSL_CERT, options->certificate_file);
        if (options->key_file) mysql_options(raw, MYSQL_OPT_SSL_KEY, options->key_file);
    }
    if (!mysql_real_connect(raw, options->host, options->user, options->password, options->database, options->port,
                            options->socket, CLIENT_FOUND_ROWS))
        note(connection, mysql_errno(raw), mysql_error(raw));
    return connection;
}

void client_close(client_connection *connection) {
    if (connection->raw) mysql_close(connection->raw);
    free(connection);
}

int client_run(client_connection *connection, const char *sql, size_t count) {
    if (mysql_real_query(connection->raw, sql, count))
        return note(connection, mysql_errno(connection->raw), mysql_error(connection->raw));
    MYSQL_RES *rows = mysql_store_result(connection->raw);
    if (rows) mysql_free_result(rows);
    return 0;
}

uint64_t client_connection_id(client_connection *connection) { return mysql_thread_id(connection->raw); }

unsigned client_error_number(client_connection *connection) { return connection->number; }
const char *client_error_text(client_connection *connection) { return connection->text; }

// Room for the columns of the answer.
static int prepare_results(client_statement *s) {
    s->columns = mysql_stmt_field_count(s->raw);
    if (s->columns == 0) return 0;
    s->metadata = mysql_stmt_result_metadata(s->raw);
    s->results = calloc(s->columns, sizeof *s->results);
    s->values = calloc(s->columns, sizeof *s->values);
    s->lengths = calloc(s->columns, sizeof *s->lengths);
    s->nulls = calloc(s->columns, sizeof *s->nulls);
    s->buffers = calloc(s->columns, sizeof *s->buffers);
    s->larges = calloc(s->columns, sizeof *s->larges);
    s->sizes = calloc(s->columns, sizeof *s->sizes);
    if (!s->metadata || !s->results || !s->values || !s->lengths || !s->nulls) return -1;
    if (!s->buffers || !s->larges || !s->sizes) return -1;
    for (unsigned column = 0; column < s->columns; column++) {
        MYSQL_FIELD *field = mysql_fetch_field_direct(s->metadata, column);
        MYSQL_BIND *result = &s->results[column];
        result->length = &s->lengths[column];
        result->is_null = &s->nulls[column];
        switch (field->type) {
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_LONGLONG:
            result->buffer_type = MYSQL_TYPE_LONGLONG;
            result->buffer = &s->values[column];
            result->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
            break;
        default:
            s->buffers[column] = malloc(SHORT);
            if (!s->buffers[column]) return -1;
            result->buffer_type = MYSQL_TYPE_BLOB;
            result->buffer = s->buffers[column];
            result->buffer_length = SHORT;
        }
    }
    return mysql_stmt_bind_result(s->raw, s->results) ? -1 : 0;
}

client_statement *client_prepare(client_connection *connection, const char *sql, size_t count) {
    client_statement *s = calloc(1, sizeof *s);
    if (s) {
        s->connection = connection;
        s->raw = mysql_stmt_init(connection->raw);
    }
    if (!s || !s->raw) {
        note(connection, 2008, "no memory");
        free(s);
        return NULL;
    }
    if (mysql_stmt_prepare(s->raw, sql, count)) {
        fault(s);
    } else if (s->parameters = (unsigned)mysql_stmt_param_count(s->raw),
               s->binds = calloc(s->parameters + 1, sizeof *s->binds),
               s->kinds = calloc(s->parameters + 1, sizeof *s->kinds), !s->binds || !s->kinds
               || prepare_results(s)) {
        note(connection, 2008, "no memory");
    } else {
        return s;
    }
    client_close_statement(s);
    return NULL;
}

void client_close_statement(client_statement *s) {
    if (s->metadata) mysql_free_result(s->metadata);
    mysql_stmt_close(s->raw);
    free(s->binds);
    free(s->kinds);
    free(s->numbers);
    free(s->pointers);
    free(s->counts);
    free(s->indicators);
    free(s->arena);
    free(s->results);
    free(s->values);
    free(s->lengths);
    free(s->nulls);
    for (unsigned column = 0; column < s->columns; column++) {
        if (s->buffers) free(s->buffers[column]);
        if (s->larges) free(s->larges[column]);
    }
    free(s->buffers);
    free(s->larges);
    free(s->sizes);
    free(s);
}

unsigned client_parameter_count(client_statement *s) { return s->parameters; }

// Puts an array of columns into one with longer columns.
static void *widened(void *old, size_t width, unsigned columns, unsigned from, unsigned to) {
    char *wide = calloc((size_t)columns * to + 1, width);
    if (wide && old)
        for (unsigned column = 0; column < columns; column++)
            memcpy(wide + column * to * width, (char *)old + column * from * width, from * width);
    return wide;
}

static int widen(client_statement *s, unsigned rows) {
    unsigned from = s->capacity, to = from ? from : 1;
    while (to < rows) to *= 2;
    int64_t *numbers = widened(s->numbers, sizeof *numbers, s->parameters, from, to);
    char **pointers = widened(s->pointers, sizeof *pointers, s->parameters, from, to);
    unsigned long *counts = widened(s->counts, sizeof *counts, s->parameters, from, to);
    char *indicators = widened(s->indicators, sizeof *indicators, s->parameters, from, to);
    if (!numbers || !pointers || !counts || !indicators) {
        free(numbers);
        free(pointers);
        free(counts);
        free(indicators);
        return note(s->connection, 2008, "no memory");
    }
    free(s->numbers);
    free(s->pointers);
    free(s->counts);
    free(s->indicators);
    s->numbers = numbers;
    s->pointers = pointers;
    s->counts = counts;
    s->indicators = indicators;
    s->capacity = to;
    return 0;
}

static int bind(client_statement *s, unsigned row, unsigned parameter, int64_t number, size_t count, char indicator) {
    if (parameter >= s->parameters) return note(s->connection, 2034, "no such parameter");
    if (row >= s->capacity && widen(s, row + 1)) return -1;
    size_t cell = (size_t)parameter * s->capacity + row;
    s->numbers[cell] = number;
    s->counts[cell] = count;
    s->indicators[cell] = indicator;
    return 0;
}

int client_bind_number(client_statement *s, unsigned row, unsigned parameter, int64_t value) {
    return bind(s, row, parameter, value, 0, STMT_INDICATOR_NONE);
}

int client_bind_null(client_statement *s, unsigned row, unsigned parameter) {
    return bind(s, row, parameter, 0, 0, STMT_INDICATOR_NULL);
}

int client_bind_bytes(
    client_statement *s, unsigned row, unsigned parameter, const uint8_t *bytes, size_t count, int is_text) {
    if (s->used + count > s->room) {
        size_t room = s->room ? s->room : 256;
        while (room < s->used + count) room *= 2;
        uint8_t *arena = realloc(s->arena, room);
        if (!arena) return note(s->connection, 2008, "no memory");
        s->arena = arena;
        s->room = room;
    }
    if (bind(s, row, parameter, (int64_t)s->used, count, STMT_INDICATOR_NONE)) return -1;
    if (count) memcpy(s->arena + s->used, bytes, count);
    s->used += count;
    s->kinds[parameter] = is_text ? TEXT : BYTES;
    return 0;
}

void client_clear(client_statement *s) {
    free(s->arena);
    s->arena = NULL;
    s->used = s->room = 0;
}

int client_execute(client_statement *s, unsigned rows) {
    static my_bool yes = 1;
    unsigned bulk = rows > 1 ? rows : 0;
    if (s->parameters && (rows == 0 || rows > s->capacity)) return note(s->connection, 2031, "parameters are missing");
    mysql_stmt_attr_set(s->raw, STMT_ATTR_ARRAY_SIZE, &bulk);
    for (unsigned parameter = 0; parameter < s->parameters; parameter++) {
        MYSQL_BIND *b = &s->binds[parameter];
        size_t first = (size_t)parameter * s->capacity;
        memset(b, 0, sizeof *b);
        if (s->kinds[parameter] == NUMBER) {
            b->buffer_type = MYSQL_TYPE_LONGLONG;
            b->buffer = &s->numbers[first];
        } else {
            // An empty value has an address, too.
            static char nothing;
            for (size_t cell = first; cell < first + rows; cell++)
                s->pointers[cell] = s->counts[cell] ? (char *)s->arena + s->numbers[cell] : &nothing;
            b->buffer_type = s->kinds[parameter] == TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
            b->buffer = bulk ? (void *)&s->pointers[first] : s->pointers[first];
            b->buffer_length = s->counts[first];
            b->length = &s->counts[first];
        }
        if (bulk)
            b->u.indicator = &s->indicators[first];
        else if (s->indicators[first] == STMT_INDICATOR_NULL)
            b->is_null = &yes;
    }
    int failed = (s->parameters && mysql_stmt_bind_param(s->raw, s->binds)) || mysql_stmt_execute(s->raw)
        || (s->columns && mysql_stmt_store_result(s->raw));
    s->used = 0;
    if (!failed) return 0;
    fault(s);
    // A fault may come behind some rows, as when a row further on is locked. Nothing comes behind a fault; but unless the
    // statement is reset, the library waits for more the next time, until the connection counts as lost.
    mysql_stmt_reset(s->raw);
    return -1;
}

uint64_t client_affected(client_statement *s) { return mysql_stmt_affected_rows(s->raw); }

int client_fetch(client_statement *s) {
    switch (mysql_stmt_fetch(s->raw)) {
    case 0:
    case MYSQL_DATA_TRUNCATED: return 1;
    case MYSQL_NO_DATA: return 0;
    default: return fault(s);
    }
}

void client_reset(client_statement *s) {
    if (s->columns) mysql_stmt_free_result(s->raw);
}

int64_t client_number(client_statement *s, unsigned column) { return s->nulls[column] ? 0 : s->values[column]; }
int client_is_null(client_statement *s, unsigned column) { return s->nulls[column]; }

const uint8_t *client_bytes(client_statement *s, unsigned column, size_t *count) {
    *count = 0;
    if (s->nulls[column] || !s->buffers[column]) return NULL;
    unsigned long length = s->lengths[column];
    *count = length;
    if (length <= SHORT) return s->buffers[column];
    if (s->sizes[column] < length) {
        free(s->larges[column]);
        s->larges[column] = malloc(length);
        s->sizes[column] = s->larges[column] ? length : 0;
        if (!s->larges[column]) return NULL;
    }
    unsigned long read = 0;
    my_bool is_null = 0, error = 0;
    MYSQL_BIND whole;
    memset(&whole, 0, sizeof whole);
    whole.buffer_type = MYSQL_TYPE_BLOB;
    whole.buffer = s->larges[column];
    whole.buffer_length = length;
    whole.length = &read;
    whole.is_null = &is_null;
    whole.error = &error;
    return mysql_stmt_fetch_column(s->raw, &whole, column, 0) ? NULL : s->larges[column];
}

unsigned client_column_count(client_statement *s) { return s->columns; }

const char *client_column_name(client_statement *s, unsigned column) {
    return mysql_fetch_field_direct(s->metadata, column)->name;
}

#endif
