import CMySQLClient

/// Where a MySQL server is, and who this program is there. Printing it shows no password.
package struct ServerAddress: Sendable, CustomStringConvertible {
    package enum Place: Hashable, Sendable, CustomStringConvertible {
        case host(String, port: UInt16)
        /// A Unix socket.
        case socket(String)

        package var description: String {
            switch self {
            case .host(let host, let port): "\(host):\(port)"
            case .socket(let path): path
            }
        }
    }

    /// An encrypted connection to a server that proves who it is.
    package struct TLS: Hashable, Sendable {
        /// PEM: who must have signed the server's certificate; `nil` for the authorities that the system trusts.
        package var authorityFile: String?
        /// PEM: this program's own certificate and its key, if the server asks for one.
        package var certificateFile: String?
        package var keyFile: String?

        package init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.authorityFile = authorityFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    package var place: Place
    package var user: String
    package var password: String
    package var database: String
    /// `nil` for a connection that isn't encrypted, which only a network of one's own allows.
    package var tls: TLS?
    /// How long connecting may take.
    package var connectSeconds: UInt32 = 5
    /// How long the server may take over one answer. Then the connection counts as lost.
    package var answerSeconds: UInt32 = 30

    package init(_ place: Place, user: String, password: String, database: String, tls: TLS? = nil) {
        self.place = place
        self.user = user
        self.password = password
        self.database = database
        self.tls = tls
    }

    package var description: String { "\(database) at \(place)" }

    /// Runs `body` with these settings as C has them; they're valid no longer.
    func withOptions<Answer>(_ body: (inout client_options) -> Answer) -> Answer {
        var host: String?
        var socket: String?
        var options = client_options()
        switch place {
        case .host(let name, let port):
            host = name
            options.port = UInt32(port)
        case .socket(let path): socket = path
        }
        options.requires_tls = tls == nil ? 0 : 1
        options.connect_seconds = connectSeconds
        options.answer_seconds = answerSeconds
        let texts = [
            host, socket, user, password, database, tls?.authorityFile, tls?.certificateFile, tls?.keyFile,
        ]
        // One after the other with a zero behind each, so that one pointer leads to all of them.
        var bytes: [CChar] = []
        let starts = texts.map { text -> Int? in
            guard let text else { return nil }
            defer { bytes += text.utf8CString }
            return bytes.count
        }
        return bytes.withUnsafeBufferPointer { buffer in
            let fields: [WritableKeyPath<client_options, UnsafePointer<CChar>?>] = [
                \.host, \.socket, \.user, \.password, \.database, \.authority_file, \.certificate_file, \.key_file,
            ]
            for (field, start) in zip(fields, starts) {
                options[keyPath: field] = start.flatMap { place in buffer.baseAddress.map { $0 + place } }
            }
            return body(&options)
        }
    }
}
