#if NATS
    import HongbaoEngine
    import HongbaoNATS
    import HongbaoTesting
    import Testing

    /// Who is let in to a server that encrypts (CT-3).
    @Suite(.timeLimit(.minutes(5))) struct NATSAccessTests {
        private static func tls(_ authority: TestAuthority, _ identity: TestAuthority.Identity) -> [String] {
            [
                "--tlsverify", "--tlscacert", authority.file, "--tlscert", identity.certificate, "--tlskey",
                identity.key,
            ]
        }

        private static func answers(_ address: String) async throws -> Bool {
            var configuration = NATSQueue.Configuration.forTests()
            configuration.replicas = 1
            configuration.answerLimit = .seconds(1)
            let queue = NATSQueue(try #require(NATSAddress(address)), configuration)
            var isLetIn = false
            for _ in 0..<30 where !isLetIn {
                isLetIn = await queue.answers()
                if !isLetIn { try await Task.sleep(for: .milliseconds(50)) }
            }
            await queue.close()
            return isLetIn
        }

        @Test func connectionsAreEncrypted() async throws {
            let authority = try await TestAuthority()
            let server = try await NATSCluster(count: 1, Self.tls(authority, authority.certified))
            let place = server.address.dropFirst("nats://".count)
            let (own, stranger) = (authority.certified, authority.stranger)
            let client = "certificate=\(own.certificate)&key=\(own.key)"
            #expect(try await Self.answers("tls://\(place)?ca=\(authority.file)&\(client)"))
            // One that believes others, one that shows nothing, one that shows what the server doesn't believe, and one
            // that doesn't encrypt.
            for wrong in [
                "tls://\(place)?ca=\(stranger.certificate)&\(client)", "tls://\(place)?ca=\(authority.file)",
                "tls://\(place)?ca=\(authority.file)&certificate=\(stranger.certificate)&key=\(stranger.key)",
                "nats://\(place)",
            ] {
                #expect(try await !Self.answers(wrong), "\(wrong)")
            }
        }

        /// DP-2: a node whose servers have never been there ends when it's told to.
        @Test func whoWaitsForNobodyCanBeEnded() async throws {
            #expect(try await !Self.answers("nats://127.0.0.1:\(try freePort())"))
        }

        /// A certificate is of a host: another one's isn't taken, whoever has signed it.
        @Test func theServerIsTheOneThatWasMeant() async throws {
            let authority = try await TestAuthority()
            let server = try await NATSCluster(count: 1, Self.tls(authority, authority.elsewhere))
            let place = server.address.dropFirst("nats://".count)
            let own = authority.certified
            let client = "certificate=\(own.certificate)&key=\(own.key)"
            #expect(try await !Self.answers("tls://\(place)?ca=\(authority.file)&\(client)"))
        }
    }
#endif
