#if MySQL
    import HongbaoEngine
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// Who is let in to a server that encrypts, and which server is believed (DP-2).
    @Suite(.timeLimit(.minutes(5))) struct MySQLAccessTests {
        private static func server(_ authority: TestAuthority, _ identity: TestAuthority.Identity) async throws
            -> MariaDBServer
        {
            let server = try await MariaDBServer.started([
                "--ssl-ca=\(authority.file)", "--ssl-cert=\(identity.certificate)", "--ssl-key=\(identity.key)",
            ])
            let root = ServerAddress(.socket(server.socket), user: "root", password: "", database: "mysql")
            try await SQLConsole.run(
                root,
                [
                    "CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'a' REQUIRE SSL",
                    "CREATE USER known@'127.0.0.1' IDENTIFIED BY 'b' REQUIRE X509",
                    "GRANT ALL ON hongbao.* TO plain@'127.0.0.1', known@'127.0.0.1'",
                ]
            )
            return server
        }

        private static func address(
            _ server: MariaDBServer,
            _ user: String,
            _ password: String,
            _ tls: ServerAddress.TLS?
        ) -> ServerAddress {
            let place = ServerAddress.Place.host("127.0.0.1", port: server.port)
            return ServerAddress(place, user: user, password: password, database: "hongbao", tls: tls)
        }

        /// Which cipher the connection has; empty without.
        private static func cipher(_ address: ServerAddress) async throws -> String {
            let console = SQLConsole(address)
            let rows = try await console.rows("SHOW STATUS LIKE 'Ssl_cipher'", columns: 2)
            await console.close()
            return try #require(rows.first)[1]
        }

        @Test func connectionsAreEncrypted() async throws {
            let authority = try await TestAuthority()
            let server = try await Self.server(authority, authority.certified)
            let (own, stranger) = (authority.certified, authority.stranger)
            let believing = ServerAddress.TLS(authorityFile: authority.file)
            let showing = ServerAddress.TLS(
                authorityFile: authority.file,
                certificateFile: own.certificate,
                keyFile: own.key
            )
            #expect(try await Self.cipher(Self.address(server, "plain", "a", believing)).hasPrefix("TLS"))
            #expect(try await Self.cipher(Self.address(server, "known", "b", showing)).hasPrefix("TLS"))
            // All of the store's connections.
            let store = try await MySQLStore(Self.address(server, "known", "b", showing))
            _ = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
            await store.close()
            let strange = ServerAddress.TLS(
                authorityFile: authority.file,
                certificateFile: stranger.certificate,
                keyFile: stranger.key
            )
            for wrong in [
                Self.address(server, "plain", "a", nil), Self.address(server, "known", "b", believing),
                Self.address(server, "known", "b", strange),
                Self.address(server, "plain", "a", ServerAddress.TLS(authorityFile: stranger.certificate)),
                Self.address(server, "plain", "a", ServerAddress.TLS()),
                Self.address(server, "plain", "a", ServerAddress.TLS(authorityFile: "/nowhere")),
            ] {
                await #expect(throws: (any Error).self) { try await Self.cipher(wrong) }
            }
            try await server.stop()
        }

        /// A certificate is of a host: another one's isn't taken, whoever has signed it.
        @Test func theServerIsTheOneThatWasMeant() async throws {
            let authority = try await TestAuthority()
            let server = try await Self.server(authority, authority.elsewhere)
            let believing = ServerAddress.TLS(authorityFile: authority.file)
            await #expect {
                _ = try await Self.cipher(Self.address(server, "plain", "a", believing))
            } throws: { error in
                "\(error)".contains("certificate")
            }
            try await server.stop()
        }
    }
#endif
