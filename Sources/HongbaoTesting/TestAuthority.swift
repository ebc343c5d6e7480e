/// A certificate authority for tests, made by openssl, with what it has certified and a stranger that it hasn't.
package struct TestAuthority: Sendable {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// A certificate and its key, PEM files.
    package struct Identity: Sendable {
        package let certificate: String
        package let key: String
    }

    private let folder: TemporaryFolder
    /// PEM: whom to believe.
    package var file: String { identity("ca").certificate }
    /// For `127.0.0.1` and `localhost`, as server and as client.
    package var certified: Identity { identity("certified") }
    /// For another host, certified, too.
    package var elsewhere: Identity { identity("elsewhere") }
    /// Certified by itself.
    package var stranger: Identity { identity("stranger") }

    package init() async throws {
        folder = try TemporaryFolder()
        guard let openssl = RedisProcess.find("openssl") else {
            throw Fault(description: "openssl isn't here: scripts/install test, or Debian's package openssl")
        }
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        var commands = ["ca", "stranger"].map { name in
            "req -x509 \(key) -days 2 -subj /CN=\(name) -keyout \(identity(name).key)"
                + " -out \(identity(name).certificate)"
        }
        for (name, hosts) in [("certified", "IP:127.0.0.1,DNS:localhost"), ("elsewhere", "DNS:elsewhere.test")] {
            let request = folder.file("\(name).csr")
            commands += [
                "req \(key) -subj /CN=\(name) -addext subjectAltName=\(hosts) -keyout \(identity(name).key)"
                    + " -out \(request)",
                "x509 -req -in \(request) -CA \(file) -CAkey \(identity("ca").key) -days 2 -copy_extensions copy"
                    + " -out \(identity(name).certificate)",
            ]
        }
        for command in commands {
            let words = command.split(separator: " ").map(String.init)
            let (code, _, errors) = try await StartedProgram.run(openssl, words)
            guard code == 0 else { throw Fault(description: "openssl: \(errors)") }
        }
    }

    private func identity(_ name: String) -> Identity {
        Identity(certificate: folder.file("\(name).pem"), key: folder.file("\(name).key"))
    }
}
