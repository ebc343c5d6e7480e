import Foundation
import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoRedis

/// Who is let in, and over what: the server's access list, and TLS.
@Suite(.timeLimit(.minutes(5))) struct AccessTests {
    private static func address(_ text: String) throws -> RedisAddress { try #require(RedisAddress(text)) }

    @Test func onlyWhoKnowsThePasswordIsLetIn() async throws {
        let server = try await RedisProcess([("requirepass", "s:cret/1")])
        let node = try RedisNode(Self.address("redis://:s%3Acret%2F1@127.0.0.1:\(server.port)"))
        #expect(try await node.call("PING") == .text("PONG"))
        // A user of the access list, with a password of its own.
        _ = try await node.call("ACL", "SETUSER", "hongbao", "on", ">other", "~hongbao:*", "+get", "+ping")
        let user = try RedisNode(Self.address("redis://hongbao:other@127.0.0.1:\(server.port)"))
        #expect(try await user.call("GET", "hongbao:a") == .null)
        #expect(await user.fault("GET", "a")?.kind == .refused(code: "NOPERM"))
        for wrong in ["redis://", "redis://:wrong@", "redis://hongbao:wrong@", "redis://nobody:other@"] {
            let stranger = try RedisNode(Self.address("\(wrong)127.0.0.1:\(server.port)"))
            let fault = await stranger.fault("PING")
            #expect(fault?.kind == .unreachable)
            let word = wrong == "redis://" ? "NOAUTH" : "WRONGPASS"
            #expect(fault?.message.contains(word) == true, "\(wrong): \(fault?.message ?? "")")
            #expect(fault?.message.contains("wrong@") == false)
            await stranger.close()
        }
        await node.close()
        await user.close()
    }

    /// Files of an authority of its own, made by openssl.
    private static func certificates(in folder: TemporaryFolder) async throws {
        let openssl = try #require(RedisProcess.find("openssl"), "install Debian's package openssl")
        let path = folder.path
        let commands = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority"
                + " -keyout \(path)/ca.key -out \(path)/ca.pem",
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=stranger"
                + " -keyout \(path)/stranger.key -out \(path)/stranger.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis"
                + " -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout \(path)/redis.key -out \(path)/redis.csr",
            "x509 -req -in \(path)/redis.csr -CA \(path)/ca.pem -CAkey \(path)/ca.key -days 2 -copy_extensions copy"
                + " -out \(path)/redis.pem",
        ]
        for command in commands {
            let (code, _, errors) = try await StartedProgram.run(
                openssl,
                command.split(separator: " ").map(String.init)
            )
            try #require(code == 0, "openssl: \(errors)")
        }
    }

    @Test func connectionsAreEncrypted() async throws {
        let folder = try TemporaryFolder()
        try await Self.certificates(in: folder)
        let tls = try freePort()
        let server = try await RedisProcess([
            ("tls-port", "\(tls)"), ("tls-cert-file", folder.file("redis.pem")),
            ("tls-key-file", folder.file("redis.key")), ("tls-ca-cert-file", folder.file("ca.pem")),
        ])
        let authority = "ca=\(folder.file("ca.pem"))"
        let client = "certificate=\(folder.file("redis.pem"))&key=\(folder.file("redis.key"))"
        for host in ["127.0.0.1", "localhost"] {
            let node = try RedisNode(Self.address("rediss://\(host):\(tls)?\(authority)&\(client)"))
            #expect(try await node.call("ECHO", "a") == .text("a"))
            await node.close()
        }
        // One that believes others, one that shows nothing, one that shows what the server doesn't believe, and one
        // that speaks TLS to who doesn't.
        let stranger = "certificate=\(folder.file("stranger.pem"))&key=\(folder.file("stranger.key"))"
        let wrong = [
            "rediss://127.0.0.1:\(tls)?ca=\(folder.file("stranger.pem"))&\(client)",
            "rediss://127.0.0.1:\(tls)?\(client)", "rediss://127.0.0.1:\(tls)?\(authority)",
            "rediss://127.0.0.1:\(tls)?\(authority)&\(stranger)", "rediss://127.0.0.1:\(server.port)?\(authority)",
            "redis://127.0.0.1:\(tls)",
        ]
        for text in wrong {
            let node = try RedisNode(Self.address(text))
            #expect(await node.fault("PING")?.kind == .unreachable, "\(text)")
            await node.close()
        }
        #expect(throws: (any Error).self) { try RedisNode(Self.address("rediss://a?ca=/nowhere")) }
    }
}
