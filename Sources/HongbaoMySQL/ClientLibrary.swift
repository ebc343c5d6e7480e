import CMySQLClient

/// MariaDB's client library, which is set up once for a process, before its first thread.
enum ClientLibrary {
    static let isReady = client_set_up() == 0
}
