// A connection to a MySQL server, as HongbaoMySQL needs it: one thread, prepared statements, integers and bytes.
//
// MariaDB's headers stay behind this one, so that the Swift code compiles on a machine without them. Functions that
// answer `int` answer 0 when it worked; what was wrong otherwise is in `client_error_*`.
#ifndef C_MYSQL_CLIENT_H
#define C_MYSQL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct client_connection client_connection;
typedef struct client_statement client_statement;

/// Where a server is and how to reach it. A string that isn't there is NULL.
typedef struct {
    const char *host;
    /// A Unix socket, instead of host and port.
    const char *socket;
    unsigned port;
    const char *user;
    const char *password;
    const char *database;
    /// TLS or nothing, with a certificate that the authority has signed for this host.
    int requires_tls;
    const char *authority_file;
    const char *certificate_file;
    const char *key_file;
    /// How long connecting may take, and how long the server may take over an answer.
    unsigned connect_seconds;
    unsigned answer_seconds;
} client_options;

/// Once in a process, before all else.
int client_set_up(void);
/// At the start and the end of each thread that uses connections.
int client_begin_thread(void);
void client_end_thread(void);

/// NULL only when there is no memory; then see `client_error_number`.
client_connection *client_connect(const client_options *options);
void client_close(client_connection *connection);
/// Runs a statement that gives no rows.
int client_run(client_connection *connection, const char *sql, size_t count);

/// The number that the server has for it.
uint64_t client_connection_id(client_connection *connection);

/// The number and text of the last fault, of the connection or of the statement that is at work.
unsigned client_error_number(client_connection *connection);
const char *client_error_text(client_connection *connection);

/// NULL when the server refuses it.
client_statement *client_prepare(client_connection *connection, const char *sql, size_t count);
void client_close_statement(client_statement *statement);

unsigned client_parameter_count(client_statement *statement);

/// Parameters of one row of many. Rows and parameters are counted from 0. Answer -1 when there is no memory.
int client_bind_number(client_statement *statement, unsigned row, unsigned parameter, int64_t value);
int client_bind_null(client_statement *statement, unsigned row, unsigned parameter);
/// The bytes are copied. A text is compared by its column's collation, other bytes as they are.
int client_bind_bytes(
    client_statement *statement, unsigned row, unsigned parameter, const uint8_t *bytes, size_t count, int is_text);
/// Lets go of the bytes that were bound.
void client_clear(client_statement *statement);

/// Runs it for each of the rows bound, and fetches what it answers. More than one row only for statements that change.
int client_execute(client_statement *statement, unsigned rows);
/// Rows that were changed, or matched by a condition.
uint64_t client_affected(client_statement *statement);
/// 1 when there is a next row, 0 when there is none, -1 when it can't be read.
int client_fetch(client_statement *statement);
void client_reset(client_statement *statement);

int64_t client_number(client_statement *statement, unsigned column);
int client_is_null(client_statement *statement, unsigned column);
/// Valid until the next row. NULL when it has no bytes, or when there is no memory for them, with a count then.
const uint8_t *client_bytes(client_statement *statement, unsigned column, size_t *count);
unsigned client_column_count(client_statement *statement);
const char *client_column_name(client_statement *statement, unsigned column);

#endif
